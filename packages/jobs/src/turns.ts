import { cases, outbox, sessions, type Transaction, videos } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'
import type { OutboxRow } from './catalogue.ts'

/** Jobs about a video, which last minutes or hours. Therapists have turns for them. */
const inTurns: readonly string[] = ['encode-video', 'transcribe-video']

/** The video of an outbox row; null for a payload without a valid id. */
const videoId = sql`case when ${outbox.payload} ->> 'video_id' ~ '^[0-9]{1,9}$'
  then (${outbox.payload} ->> 'video_id')::int end`

/**
 * The turns of those rows that are about a video: the number, from 1, among the rows of the same job and therapist that
 * have not ended. It becomes the job's priority, and BullMQ runs the lowest first. So the first video of one therapist
 * comes before the second of another. A row whose video was deleted has no turn: its job ends at once.
 */
export async function turnsOf(tx: Transaction, rows: OutboxRow[]): Promise<Map<number, number>> {
  const ids = rows.filter(({ name }) => inTurns.includes(name)).map(({ id }) => id)
  if (ids.length === 0) return new Map()
  const open = tx.$with('open').as(
    tx
      .select({
        id: outbox.id,
        turn: sql<number>`(row_number() over (partition by ${outbox.name}, ${cases.userId} order by ${outbox.id}))::int`.as(
          'turn',
        ),
      })
      .from(outbox)
      .innerJoin(videos, eq(videos.id, videoId))
      .innerJoin(sessions, eq(sessions.id, videos.sessionId))
      .innerJoin(cases, eq(cases.id, sessions.caseId))
      .where(sql`${outbox.failedAt} is null and ${outbox.name} = any(${`{${inTurns.join()}}`})`),
  )
  const turns = await tx
    .with(open)
    .select()
    .from(open)
    .where(sql`${open.id} = any(${`{${ids.join()}}`}::bigint[])`)
  return new Map(turns.map(({ id, turn }) => [id, turn]))
}
