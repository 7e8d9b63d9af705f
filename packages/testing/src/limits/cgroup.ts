import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Container } from './compose.ts'

/** A container's limits on this machine: a group of processes that together may use so much memory and CPU. */
export interface Cgroup {
  /** Program and arguments that run this program inside the group, from its first byte of memory on. */
  inside(program: string, args: string[]): [program: string, args: string[]]
  /** Moves a running process into the group; what it starts from then on belongs to the group too. */
  add(pid: number): Promise<void>
  pids(): Promise<number[]>
  /** Processes of the group that the kernel killed because the memory was used up. */
  oomKills(): Promise<number>
  /** Most memory that the group ever used, in bytes, cached pages of files included. */
  peakBytes(): Promise<number>
  /** Kills every process of the group, then removes it. */
  remove(): Promise<void>
}

const root = '/sys/fs/cgroup'
const periodUs = 100_000

/** Where the two controllers lie and what their files are called in each version of cgroups. */
const versions = [
  {
    memory: join(root, 'memory'),
    cpu: join(root, 'cpu'),
    limit: 'memory.limit_in_bytes',
    peak: 'memory.max_usage_in_bytes',
    events: 'memory.oom_control',
    cpuFiles: (quotaUs: number) => ({ 'cpu.cfs_period_us': `${periodUs}`, 'cpu.cfs_quota_us': `${quotaUs}` }),
  },
  {
    memory: root,
    cpu: root,
    limit: 'memory.max',
    peak: 'memory.peak',
    events: 'memory.events',
    cpuFiles: (quotaUs: number) => ({ 'cpu.max': `${quotaUs} ${periodUs}` }),
  },
]

let opened = 0

interface Groups {
  /** Folder of the memory controller. */
  group: string
  /** Folders that a process has to be in. */
  groups: string[]
  hasCpu: boolean
}

async function makeGroups(
  { memory, cpu, limit, cpuFiles }: (typeof versions)[number],
  folder: string,
  { memoryBytes, cpus }: Omit<Container, 'environment'>,
): Promise<Groups> {
  const [group, cpuGroup] = [join(memory, folder), join(cpu, folder)]
  const set = (file: string, text: string) => writeFile(file, text, { flag: 'r+' })
  // The second version hands controllers down only on request; the first one has no such file.
  await set(join(memory, 'cgroup.subtree_control'), '+memory +cpu').catch(() => {})
  await mkdir(group)
  try {
    if (Number.isFinite(memoryBytes)) await set(join(group, limit), `${memoryBytes}`)
  } catch (error) {
    await rmdir(group)
    throw error
  }
  try {
    if (cpuGroup !== group) await mkdir(cpuGroup)
    for (const [file, text] of Object.entries(cpuFiles(cpus * periodUs))) await set(join(cpuGroup, file), text)
    return { group, groups: cpuGroup === group ? [group] : [group, cpuGroup], hasCpu: true }
  } catch {
    return { group, groups: [group], hasCpu: false }
  }
}

/** Kills every process of a group again and again until none is left. */
async function killAll(pids: () => Promise<number[]>): Promise<void> {
  for (let left = 100; left > 0; left--) {
    const running = await pids()
    if (running.length === 0) return
    for (const pid of running) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
    await sleep(50)
  }
}

/**
 * Makes a group with a container's memory and CPU; needs root. Without a cpu controller its processes are kept on one
 * core, which is what the Compose file gives them. Rejects with one sentence where the machine does not allow a group.
 */
export async function openCgroup(name: string, limits: Omit<Container, 'environment'>): Promise<Cgroup> {
  const folder = `playtherapy-${process.pid}-${name}-${opened++}`
  const failures: string[] = []
  for (const version of versions) {
    try {
      const { group, groups, hasCpu } = await makeGroups(version, folder, limits)
      const read = (file: string) => readFile(join(group, file), 'utf8')
      const pids = async () => (await read('cgroup.procs')).split('\n').filter(Boolean).map(Number)
      const enter = `for group in ${groups.join(' ')}; do echo $$ > $group/cgroup.procs; done; exec "$@"`
      const oneCore = hasCpu ? [] : ['taskset', '--cpu-list', '0']
      return {
        inside: (program, args) => ['sh', ['-c', enter, 'sh', ...oneCore, program, ...args]],
        async add(pid) {
          for (const each of groups) await writeFile(join(each, 'cgroup.procs'), `${pid}`)
        },
        pids,
        oomKills: async () => Number(/^oom_kill (\d+)$/m.exec(await read(version.events))?.[1] ?? 0),
        // Kernels before 5.19 do not record the peak of the second version.
        peakBytes: () => read(version.peak).then(Number, () => Number.NaN),
        async remove() {
          await killAll(pids)
          for (const each of groups) await rmdir(each).catch(() => {})
        },
      }
    } catch (error) {
      failures.push(`${version.memory} (${error instanceof Error && 'code' in error ? error.code : error})`)
    }
  }
  throw new Error(`Memory cgroups cannot be made here: ${failures.join(', ')}. Run it as root on Linux.`)
}
