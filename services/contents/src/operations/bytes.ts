import {
  audioRenditions,
  caseExports,
  chunkFiles,
  type Database,
  previews,
  renditions,
  reportVersions,
  rungs,
  scriptVersions,
  videos,
} from '@playtherapy/schema'
import { type Renewed, renewed } from '@playtherapy/service-kit'
import { type Column, type SQL, sql } from 'drizzle-orm'

/** Bytes of all objects that rows name, by what they are. */
export type BytesHeld = Record<'originals' | 'encoded' | 'scripts' | 'reports' | 'exports', number>

/** Rows of one statement. No statement may last long, however many recordings there are. */
const batchRows = 50_000
/** The heavy statements of this number run one after the other. It is no therapist's. */
const reading = -5

/** The columns by which the rows of a table are gone through, and their bytes. */
const sizes: [keyof BytesHeld, id: Column, bytes: SQL][] = [
  ['originals', videos.id, sql`case when ${videos.storedAt} is not null then ${videos.size} end`],
  ['encoded', renditions.id, sql`${renditions.size}`],
  ['encoded', rungs.videoId, sql`${rungs.size}`],
  ['encoded', chunkFiles.chunkId, sql`${chunkFiles.size}`],
  ['encoded', audioRenditions.videoId, sql`${audioRenditions.size}`],
  ['encoded', previews.videoId, sql`${previews.posterSize} + ${previews.storyboardSize}`],
  ['scripts', scriptVersions.id, sql`${scriptVersions.size}`],
  ['reports', reportVersions.id, sql`${reportVersions.size}`],
  ['exports', caseExports.id, sql`${caseExports.size}`],
]

/** Adds up the bytes of a table. Rows with the same id are in the same batch. */
async function bytesOf(db: Database, id: Column, bytes: SQL): Promise<number> {
  let sum = 0
  for (let last = 0; ; ) {
    const [batch] = await db.heavy(reading, (pool) =>
      pool.execute<{ last: number | null; bytes: number }>(sql`
        select max(id)::float8 as last, coalesce(sum(bytes), 0)::float8 as bytes from (
          select ${id} as id, ${bytes} as bytes from ${id.table} where ${id} > ${last}
          order by ${id} fetch first ${sql.raw(`${batchRows}`)} rows with ties
        ) as batch`),
    )
    if (typeof batch?.last !== 'number') return sum
    last = batch.last
    sum += batch.bytes
  }
}

/** Adds up the bytes of all objects that rows name. It reads whole tables, in many statements. */
async function bytesHeld(db: Database): Promise<BytesHeld> {
  const held: BytesHeld = { originals: 0, encoded: 0, scripts: 0, reports: 0, exports: 0 }
  for (const [content, id, bytes] of sizes) held[content] += await bytesOf(db, id, bytes)
  return held
}

/** The least age of the sums. */
const leastMs = 60_000
/** How many times as long as they took they are kept: a million recordings take some seconds of a connection. */
const times = 99

/** The bytes of all objects that rows name, which are added up anew while the last sums are shown. */
export const keepBytes = (db: Database): Renewed<BytesHeld> =>
  renewed(() => bytesHeld(db), leastMs, { servesOld: true, times })
