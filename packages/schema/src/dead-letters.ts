import { and, asc, eq, inArray, isNotNull, sql } from 'drizzle-orm'
import { auditChange, type Cause } from './audit.ts'
import type { Database } from './database.ts'
import type { JobName } from './jobs.ts'
import { announce } from './outbox.ts'
import { outbox, State, sessions, videos } from './tables.ts'
import { webhooks } from './webhook-tables.ts'

/** Most dead letters shown. */
const mostLetters = 1_000

/** Webhooks come last, because a receiver that is down leaves one for each session. */
const isWebhook = sql`${outbox.name} = 'send-webhook'`

/** The jobs that were given up, oldest first; refused ones come after those that failed, and webhooks after all. */
export const deadLetters = (db: Database) =>
  db
    .select({
      id: outbox.id,
      name: outbox.name,
      payload: outbox.payload,
      attempts: outbox.attempts,
      failedAt: outbox.failedAt,
      failure: outbox.failure,
      isRefused: outbox.isRefused,
    })
    .from(outbox)
    .where(isNotNull(outbox.failedAt))
    .orderBy(isWebhook, asc(outbox.isRefused), asc(outbox.id))
    .limit(mostLetters)

/** The ids of all jobs that failed, without those that were refused, in the same order. */
export async function failedJobs(db: Database): Promise<number[]> {
  const rows = await db
    .select({ id: outbox.id })
    .from(outbox)
    .where(and(isNotNull(outbox.failedAt), eq(outbox.isRefused, false)))
    .orderBy(isWebhook, asc(outbox.id))
  return rows.map(({ id }) => id)
}

/** The jobs of an encode. The first one announces what of the others is still to be done. */
const ofEncode: JobName[] = ['encode-video', 'encode-chunk', 'finish-video']

/**
 * Announces a dead letter again, with all its attempts, and undoes its failure: a failed video becomes stored, and the
 * encoding of its session READY if it is still the current video. An encode goes on with what it lacks, and a webhook tells the
 * present state. False when there is no such dead letter. Locks the session, the dead letter and the video, or the dead letter and
 * the row of the webhook.
 */
export const retry = (db: Database, id: number, cause?: Cause): Promise<boolean> =>
  db.transaction(async (tx) => {
    const letter = and(eq(outbox.id, id), isNotNull(outbox.failedAt))
    const [found] = await tx.select({ name: outbox.name, payload: outbox.payload }).from(outbox).where(letter)
    const videoId =
      found && ofEncode.includes(found.name) && 'video_id' in found.payload ? found.payload.video_id : undefined
    // The session is locked before all else, as everywhere. It is found by its video, because no index has the sessions' pointers.
    const [session] =
      videoId === undefined
        ? []
        : await tx
            .select({ id: sessions.id })
            .from(sessions)
            .where(
              and(
                inArray(sessions.id, tx.select({ id: videos.sessionId }).from(videos).where(eq(videos.id, videoId))),
                eq(sessions.videoId, videoId),
              ),
            )
            .for('no key update')
    const [job] = await tx.delete(outbox).where(letter).returning({
      name: outbox.name,
      payload: outbox.payload,
      requestId: outbox.requestId,
      traceparent: outbox.traceparent,
    })
    if (!job) return false
    await auditChange(tx, 'operations', cause)
    const again = { ...(job.requestId && { requestId: job.requestId }), traceparent: job.traceparent }
    if (videoId !== undefined) {
      const revived = await tx
        .update(videos)
        .set({ state: 'stored', failure: null, progress: 0 })
        .where(and(eq(videos.id, videoId), eq(videos.state, 'failed'), isNotNull(videos.storedAt)))
        .returning({ id: videos.id })
      if (session && revived.length > 0) {
        await tx
          .update(sessions)
          .set({ encodingStateId: State.READY })
          .where(and(eq(sessions.id, session.id), inArray(sessions.encodingStateId, [State.ERROR])))
      }
      await announce(tx, 'encode-video', { video_id: videoId }, again)
    } else {
      if ('user_id' in job.payload) {
        const { user_id: userId, case_id: caseId, session_id: sessionId } = job.payload
        await tx.insert(webhooks).values({ userId, caseId, sessionId, change: 0 }).onConflictDoNothing()
      }
      await announce(tx, job.name, job.payload, again)
    }
    return true
  })
