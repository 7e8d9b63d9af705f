import { buffer } from 'node:stream/consumers'
import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { parseJson } from '@playtherapy/service-kit'
import type { Static } from 'typebox'
import { ReportBody } from './schemas.ts'

/** The level of each category, in the order of the report. */
export type Levels = [category: string, level: number][]

/** What the trend needs of a report; kept in its row, so that a trend reads no objects. */
export const levelsOf = ({ reports }: Static<typeof ReportBody>): Levels =>
  Object.entries(reports).map(([category, { level }]) => [category, level])

/** The same from the store, for a report whose row is older than this column. Throws what the store throws. */
export async function readLevels(store: ObjectStore, path: string, etag: string | null): Promise<Levels> {
  const signal = AbortSignal.timeout(10_000)
  const stream = await store.get(inFolder('analyze_report', path), { signal, ...(etag && { ifMatch: etag }) })
  const report = parseJson(await buffer(stream), ['report'])
  // Rows older than the column are few, and loading this takes longer than all else at boot.
  const { default: Value } = await import('typebox/value')
  if (!Value.Check(ReportBody, report)) throw new Error('the stored document is no report')
  return levelsOf(report)
}
