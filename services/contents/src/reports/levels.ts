import { buffer } from 'node:stream/consumers'
import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { parseJson } from '@playtherapy/service-kit'
import { ReportBody } from '@playtherapy/versions/report'
import type { Static } from 'typebox'

/** The level of each category, in the order of the report. */
export type Levels = [category: string, level: number][]

/** Returns what the trend needs of a report. It is stored in the report's row, so that a trend reads no objects. */
export const levelsOf = ({ reports }: Static<typeof ReportBody>): Levels =>
  Object.entries(reports).map(([category, { level }]) => [category, level])

/** Reads the levels from the store, for a report whose row is older than their column. Throws what the store throws. */
export async function readLevels(store: ObjectStore, path: string, etag: string | null): Promise<Levels> {
  const signal = AbortSignal.timeout(10_000)
  const stream = await store.get(inFolder('analyze_report', path), { signal, ...(etag && { ifMatch: etag }) })
  const report = parseJson(await buffer(stream), ['report'])
  // Such rows are few, and this import would take longer than everything else at boot.
  const { default: Value } = await import('typebox/value')
  if (!Value.Check(ReportBody, report)) throw new Error('the stored document is no report')
  return levelsOf(report)
}
