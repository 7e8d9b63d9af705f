import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'

/** What a process has used: seconds of CPU, and the most memory since it was last reset, in bytes. */
export interface Usage {
  cpuSeconds: number
  peakBytes: number
}

let ticks: number | undefined
const ticksPerSecond = () => {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticks
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name before may hold anything; user and system time are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond()
}

/** Resident memory of a process in bytes: now, or the most since `watch` began. */
export async function memoryOf(pid: number, which: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1]
  return Number(kibibytes) * 1024
}

/** Starts to watch a process; the function it gives says what was used from then on. */
export async function watch(pid: number): Promise<() => Promise<Usage>> {
  // The kernel then starts its high-water mark anew.
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  const before = await cpuSeconds(pid)
  return async () => ({ cpuSeconds: (await cpuSeconds(pid)) - before, peakBytes: await memoryOf(pid, 'VmHWM') })
}
