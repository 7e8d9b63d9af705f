import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { randomName } from '../names.ts'
import type { Cgroup } from './cgroup.ts'
import type { Container } from './compose.ts'

const sampleMs = 50
/** V8 uses this part of a container's memory limit for its heap. */
const heapPart = 0.67

/**
 * Replaces a container's limits where cgroups are not available: it measures the resident memory of one process and
 * counts a peak above the limit as an OOM kill. V8 gets the heap limit that it would choose inside the container.
 */
export function openGauge({ memoryBytes }: Pick<Container, 'memoryBytes'>): Cgroup {
  const pidFile = join(tmpdir(), randomName())
  const heap = `--max-old-space-size=${Math.floor((memoryBytes * heapPart) / 1024 ** 2)}`
  let peak = 0
  const pids = async () => {
    const pid = Number(await readFile(pidFile, 'utf8').catch(() => 0))
    return pid > 0 ? [pid] : []
  }
  const sample = async () => {
    for (const pid of await pids()) {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', `${pid}`]).catch(() => ({ stdout: '0' }))
      peak = Math.max(peak, Number(stdout) * 1024)
    }
  }
  const timer = setInterval(sample, sampleMs)
  return {
    inside: (program, args) => ['sh', ['-c', 'echo $$ > "$0"; exec "$@"', pidFile, program, heap, ...args]],
    add: async () => {},
    pids,
    oomKills: async () => (peak > memoryBytes ? 1 : 0),
    peakBytes: async () => peak,
    async remove() {
      clearInterval(timer)
      for (const pid of await pids()) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // The process has ended already.
        }
      }
      await rm(pidFile, { force: true })
    },
  }
}
