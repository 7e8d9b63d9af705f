import { randomUUID } from 'node:crypto'
import {
  announce,
  cases,
  type Database,
  type JobPayloads,
  newestRecording,
  outbox,
  ownCases,
  reportVersions,
  scriptVersions,
  sessions,
  type Transaction,
  webhooks,
} from '@playtherapy/schema'
import { and, eq, sql } from 'drizzle-orm'
import { bodyOf, type SessionState } from './body.ts'

type Whose = JobPayloads['send-webhook']

/** Longest time for which an attempt counts as alive; it ends long before. */
const leaseSeconds = 30
/** A message that has not arrived so long after its first attempt is given up. */
const patienceSeconds = 86_400
/** Pause between two messages about one session. Changes in between are told together. */
const pauseSeconds = 1

/** The row of a session and therapist. */
const ofSession = (whose: Whose) => and(eq(webhooks.userId, whose.user_id), eq(webhooks.sessionId, whose.session_id))

/** Milliseconds since an attempt to tell the receiver of a session became due; undefined when none is due. */
export async function dueMs(db: Database, whose: Whose): Promise<number | undefined> {
  const [row] = await db
    .select({ ms: sql<number>`extract(epoch from now() - ${webhooks.nextAt})::float8 * 1000` })
    .from(webhooks)
    .where(and(ofSession(whose), sql`${webhooks.nextAt} <= now()`))
  return row?.ms
}

/** A message that this process may send. */
export interface ClaimedMessage {
  messageId: string
  body: string
  /** Attempts before this one. */
  attempts: number
  /** Milliseconds until it is given up. */
  leftMs: number
}

/**
 * Begins an attempt: takes the lease of the row, and writes the message if there is none. Returns undefined when nothing is due, and
 * the milliseconds to wait while another attempt may be alive. Locks the row.
 */
export const claimMessage = (db: Database, whose: Whose): Promise<ClaimedMessage | { heldMs: number } | undefined> =>
  db.transaction(async (tx) => {
    const [row] = await tx
      .select({
        messageId: webhooks.messageId,
        body: webhooks.body,
        change: webhooks.change,
        attempts: webhooks.attempts,
        nowMs: sql<number>`extract(epoch from now())::float8 * 1000`,
        isDue: sql<boolean>`${webhooks.nextAt} <= now()`,
        heldMs: sql<number>`coalesce(extract(epoch from ${webhooks.heldUntil} - now()), 0)::float8 * 1000`,
        leftMs: sql<number>`extract(epoch from coalesce(${webhooks.firstAt}, now()) - now() +
          make_interval(secs => ${patienceSeconds}))::float8 * 1000`,
      })
      .from(webhooks)
      .where(ofSession(whose))
      .for('update')
    // A job that comes too early has a later one behind it, which was announced together with that time.
    if (!row?.isDue) return undefined
    if (row.heldMs > 0) return { heldMs: Math.ceil(row.heldMs) }
    const { attempts, leftMs } = row
    const heldUntil = sql`now() + make_interval(secs => ${leaseSeconds})`
    if (row.messageId !== null && row.body !== null) {
      await tx.update(webhooks).set({ heldUntil }).where(ofSession(whose))
      return { messageId: row.messageId, body: row.body, attempts, leftMs }
    }
    const messageId = randomUUID()
    const body = bodyOf(whose, await readState(tx, whose), new Date(row.nowMs))
    const message = { messageId, body, told: row.change, firstAt: sql`now()` }
    await tx
      .update(webhooks)
      .set({ ...message, heldUntil })
      .where(ofSession(whose))
    return { messageId, body, attempts, leftMs }
  })

/** Reads the state of a session for its therapist; undefined when it does not exist, or belongs to another one. */
async function readState(tx: Transaction, { user_id, case_id, session_id }: Whose): Promise<SessionState | undefined> {
  const [state] = await tx
    .select({
      session_state_id: sessions.sessionStateId,
      encoding_state_id: sessions.encodingStateId,
      script_state_id: sessions.scriptStateId,
      analyze_state_id: sessions.analyzeStateId,
      video_state: sql<string | null>`recording.state`,
      script_version: scriptVersions.version,
      report_version: reportVersions.version,
    })
    .from(sessions)
    .innerJoin(cases, and(eq(cases.id, sessions.caseId), ownCases(user_id)))
    .leftJoinLateral(sql`${newestRecording(sessions.id)} as recording`, sql`true`)
    .leftJoin(scriptVersions, eq(scriptVersions.id, sessions.scriptVersionId))
    .leftJoin(reportVersions, eq(reportVersions.id, sessions.reportVersionId))
    .where(and(eq(sessions.id, session_id), eq(sessions.caseId, case_id)))
  return state
}

/** The row, as long as it is at this message. */
const ofMessage = (messageId: string) => eq(webhooks.messageId, messageId)

const withoutMessage = { messageId: null, body: null, told: null, firstAt: null, attempts: 0, heldUntil: null }

/** Ends a message: removes its row, or announces the next one if the session has changed since it was written. */
async function endMessage(tx: Transaction, whose: Whose, messageId: string): Promise<void> {
  const removed = await tx
    .delete(webhooks)
    .where(and(ofMessage(messageId), eq(webhooks.told, webhooks.change)))
    .returning({ id: webhooks.id })
  if (removed.length > 0) return
  const nextAt = sql`now() + make_interval(secs => ${pauseSeconds})`
  const next = await tx
    .update(webhooks)
    .set({ ...withoutMessage, nextAt })
    .where(ofMessage(messageId))
    .returning({ id: webhooks.id })
  if (next.length > 0) await announce(tx, 'send-webhook', whose, { delaySeconds: pauseSeconds })
}

/** Ends a message that has arrived. */
export const endArrived = (db: Database, whose: Whose, messageId: string): Promise<void> =>
  db.transaction((tx) => endMessage(tx, whose, messageId))

/** Announces the next attempt at a message that has not arrived. */
export const tryAgain = (db: Database, whose: Whose, messageId: string, delaySeconds: number): Promise<void> =>
  db.transaction(async (tx) => {
    const later = await tx
      .update(webhooks)
      .set({
        attempts: sql`${webhooks.attempts} + 1`,
        nextAt: sql`now() + make_interval(secs => ${delaySeconds})`,
        heldUntil: null,
      })
      .where(ofMessage(messageId))
      .returning({ id: webhooks.id })
    if (later.length > 0) await announce(tx, 'send-webhook', whose, { delaySeconds })
  })

/**
 * Ends a message that was given up, and writes its dead letter in the same transaction, so that neither is lost when the process is
 * killed. Of earlier dead letters of the session nothing is left, because the new one, when it is tried again, tells the state
 * of that time. Locks those, and then the row, as `retry` does.
 */
export const endGivenUp = (db: Database, whose: Whose, failure: string): Promise<void> =>
  db.transaction(async (tx) => {
    // The case is named apart, because an index has it.
    const ofSame = sql`(${outbox.payload} ->> 'case_id')::int = ${whose.case_id} and ${outbox.payload} @> ${JSON.stringify(whose)}::jsonb`
    await tx.delete(outbox).where(and(sql`${outbox.name} = 'send-webhook' and ${outbox.failedAt} is not null`, ofSame))
    const [row] = await tx
      .select({ messageId: webhooks.messageId, attempts: webhooks.attempts })
      .from(webhooks)
      .where(ofSession(whose))
      .for('update')
    if (row?.messageId) await endMessage(tx, whose, row.messageId)
    else if (row) await tx.delete(webhooks).where(ofSession(whose))
    const attempts = (row?.attempts ?? 0) + 1
    await tx.insert(outbox).values({ name: 'send-webhook', payload: whose, attempts, failedAt: sql`now()`, failure })
  })
