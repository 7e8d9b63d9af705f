import type { Size } from './size.ts'

const least = 0.01

const written = (value: number) => {
  if (Number.isInteger(value) || value >= 100) return Math.round(value).toLocaleString('en')
  if (value < least) return `< ${least}`
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2)
}

/** Memory of one process, in MiB. */
export type Memory = Record<keyof Size['processes'], number>

const rows: [string, (size: Size, memory: Memory) => number][] = [
  ['recordings a day', ({ recordingsADay }) => recordingsADay],
  ['GiB uploaded a day', ({ uploadedGiBADay }) => uploadedGiBADay],
  ['CPU hours of encodes a day', ({ encodeCpuHoursADay }) => encodeCpuHoursADay],
  ['gateway', ({ processes }) => processes.gateway],
  ['contents', ({ processes }) => processes.contents],
  ['media', ({ processes }) => processes.media],
  ['script', ({ processes }) => processes.script],
  ['worker', ({ processes }) => processes.worker],
  ['cores of all these', ({ processes }) => Object.values(processes).reduce((sum, count) => sum + count, 0)],
  [
    'GiB of memory of all these',
    ({ processes: { gateway, contents, media, script, worker } }, memory) =>
      (gateway * memory.gateway +
        contents * memory.contents +
        media * memory.media +
        script * memory.script +
        worker * memory.worker) /
      1024,
  ],
  ['cores of PostgreSQL for lists, busiest hour', ({ databaseCores }) => databaseCores],
  ['connections to PostgreSQL', ({ connections }) => connections],
  ['TiB stored a year, at most', ({ storedTiBAYear }) => storedTiBAYear],
  ['rows of the audit trail a year, in millions', ({ auditRowsAYear }) => auditRowsAYear / 1e6],
  ['GiB of them', ({ auditGiBAYear }) => auditGiBAYear],
]

/** Returns the sizes as a Markdown table, one column each. */
export function sizingTable(sizes: Size[], memory: Memory): string {
  const head = `| clinics | ${sizes.map(({ clinics }) => written(clinics)).join(' | ')} |\n|${'---|'.repeat(sizes.length + 1)}`
  const lines = rows.map(
    ([name, value]) => `| ${name} | ${sizes.map((size) => written(value(size, memory))).join(' | ')} |`,
  )
  return [head, ...lines].join('\n')
}
