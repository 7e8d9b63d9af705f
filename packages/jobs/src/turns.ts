import { caseExports, cases, chunks, outbox, sessions, type Transaction, videos } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'
import type { OutboxRow } from './catalogue.ts'

/** Jobs about a video or the export of a case, which last seconds to hours. Therapists have turns for them. */
const inTurns: readonly string[] = ['encode-video', 'encode-chunk', 'finish-video', 'transcribe-video', 'export-case']

/** The id in a field of an outbox row's payload; null for a payload without a valid one. */
const idIn = (field: string) =>
  sql`case when ${outbox.payload} ->> ${sql.raw(`'${field}'`)} ~ '^[0-9]{1,9}$'
    then (${outbox.payload} ->> ${sql.raw(`'${field}'`)})::int end`

/** Turns of one rank; each rank comes after all turns of the one before. */
const turnsOfRank = 500_000

/**
 * What makes a recording playable comes first, so that each waiting recording is playable soon, and what nobody waits for
 * comes last: what is made beside the rendition of a recording that plays already.
 */
const rank = sql`case
  when ${chunks.kind} = 'lower' or (${videos.state} = 'encoded' and ${outbox.name} <> 'transcribe-video') then 2
  when ${chunks.kind} in ('picture', 'sound') and ${chunks.index} > 0 then 1
  else 0 end`

/**
 * The turns of those rows that are about a video or an export: the number, from 1, among the rows of the same job, rank and therapist that
 * have not ended, after all of the ranks before. It becomes the job's priority, and BullMQ runs the lowest first. So the
 * first video of one therapist comes before the second of another. A row whose video or export was deleted has no turn: its
 * job ends at once.
 */
export async function turnsOf(tx: Transaction, rows: OutboxRow[]): Promise<Map<number, number>> {
  const ids = rows.filter(({ name }) => inTurns.includes(name)).map(({ id }) => id)
  if (ids.length === 0) return new Map()
  const open = tx.$with('open').as(
    tx
      .select({
        id: outbox.id,
        rank: sql<number>`(${rank})::int`.as('rank'),
        turn: sql<number>`(row_number() over (
          partition by ${outbox.name}, ${cases.userId}, ${rank} order by ${outbox.id}))::int`.as('turn'),
      })
      .from(outbox)
      .leftJoin(videos, eq(videos.id, idIn('video_id')))
      .leftJoin(sessions, eq(sessions.id, videos.sessionId))
      .leftJoin(caseExports, eq(caseExports.id, idIn('export_id')))
      .innerJoin(cases, sql`${cases.id} = coalesce(${sessions.caseId}, ${caseExports.caseId})`)
      .leftJoin(chunks, eq(chunks.id, idIn('chunk_id')))
      .where(sql`${outbox.failedAt} is null and ${outbox.name} = any(${`{${inTurns.join()}}`})`),
  )
  const turns = await tx
    .with(open)
    .select()
    .from(open)
    .where(sql`${open.id} = any(${`{${ids.join()}}`}::bigint[])`)
  return new Map(turns.map(({ id, rank, turn }) => [id, rank * turnsOfRank + Math.min(turn, turnsOfRank)]))
}
