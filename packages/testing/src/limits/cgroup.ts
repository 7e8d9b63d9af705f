import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Container } from './compose.ts'

/** The limits of a container on this machine: a group of processes that share a limit of memory and of CPU. */
export interface Cgroup {
  /** Returns a program and arguments that run the given program in the group, from its first byte of memory on. */
  inside(program: string, args: string[]): [program: string, args: string[]]
  /** Moves a running process into the group; processes that it starts later belong to the group, too. */
  add(pid: number): Promise<void>
  pids(): Promise<number[]>
  /** Returns how many processes of the group the kernel killed because the memory was used up. */
  oomKills(): Promise<number>
  /** Returns the most memory that the group ever used, in bytes, including cached pages of files. */
  peakBytes(): Promise<number>
  /** Kills every process of the group, then removes it. */
  remove(): Promise<void>
}

const root = '/sys/fs/cgroup'
const periodUs = 100_000

/** The folders of the two controllers, and the names of their files, in each version of cgroups. */
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
  /** The folders of all groups that a process has to join. */
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
  // Version 2 enables controllers for a child group only on request; version 1 has no such file.
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

/** Kills the processes of a group until none is left. */
async function killAll(pids: () => Promise<number[]>): Promise<void> {
  for (let left = 100; left > 0; left--) {
    const running = await pids()
    if (running.length === 0) return
    for (const pid of running) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // The process has ended meanwhile.
      }
    }
    await sleep(50)
  }
}

/**
 * Makes a group with a container's memory and CPU; needs root. Without a cpu controller, its processes run on one core,
 * which is what the Compose file gives them. Rejects when the machine does not allow it; the message says why.
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
        // In version 2, kernels before 5.19 do not record the peak.
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
