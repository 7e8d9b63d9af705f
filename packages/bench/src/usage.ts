import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'

/** CPU time that a process and its ended children have used, and the process's peak of resident memory, both since watch(). */
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
  // The name before `)` may contain anything; user and system time are fields 14 and 15, those of its children 16 and 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / ticksPerSecond()
}

/** Returns the resident memory of a process in bytes: now (VmRSS), or the peak since watch() (VmHWM). */
export async function memoryOf(pid: number, which: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1]
  return Number(kibibytes) * 1024
}

/** Starts to measure a process. Returns a function that returns its usage since then. */
export async function watch(pid: number): Promise<() => Promise<Usage>> {
  // This resets the kernel's peak of resident memory.
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  const before = await cpuSeconds(pid)
  return async () => ({ cpuSeconds: (await cpuSeconds(pid)) - before, peakBytes: await memoryOf(pid, 'VmHWM') })
}

/** What one measured action took. */
export interface Sample extends Usage {
  seconds: number
}

/** Returns how long `act` took, and what a process used meanwhile. */
export async function timed({ pid }: { pid: number }, act: () => Promise<unknown>): Promise<Sample> {
  const used = await watch(pid)
  const began = performance.now()
  await act()
  return { seconds: (performance.now() - began) / 1000, ...(await used()) }
}
