import type { Log } from '@playtherapy/jobs'
import {
  announceEach,
  type Database,
  type JobPayloads,
  outbox,
  sessionChanges,
  webhookPosition,
  webhooks,
} from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

type Whose = JobPayloads['send-webhook']

/** Changes read in one round. */
const batchRows = 1_000
/** A worker that has a receiver is noted again after so long. */
const seenSeconds = 60
/** Webhooks are off when no such worker was seen for so long. */
const goneSeconds = 600
/** For how long operators can see what was given up. */
const deadLetterSeconds = 7 * 86_400

/**
 * Reads the changes since the last round, and announces a job for each session that has none. The first round begins with what changes
 * from then on. One process at a time does it; it locks the row of the position, but only where there is something to do. Returns
 * the number of jobs.
 */
export async function announceWebhooks(db: Database): Promise<number> {
  const newest = sql`(select coalesce(max(id), 0) from ${sessionChanges})`
  const [known] = await db
    .select({
      isBehind: sql<boolean>`${webhookPosition.change} < ${newest}`,
      isUnseen: sql<boolean>`${webhookPosition.seenAt} < now() - make_interval(secs => ${seenSeconds})`,
    })
    .from(webhookPosition)
  if (!known) await db.insert(webhookPosition).values({ change: newest }).onConflictDoNothing()
  if (known?.isUnseen) await db.update(webhookPosition).set({ seenAt: sql`now()` })
  return known?.isBehind ? announceBatch(db) : 0
}

const announceBatch = (db: Database): Promise<number> =>
  db.transaction(async (tx) => {
    const [position] = await tx.select().from(webhookPosition).for('update', { skipLocked: true })
    if (!position) return 0
    const found = await tx.execute<{ change: number; whose: Whose[] | null }>(sql`
      with changes as (
        select * from ${sessionChanges} where id > ${position.change} order by id limit ${batchRows}),
      noted as (
        insert into ${webhooks} (user_id, case_id, session_id, change)
        select user_id, max(case_id), session_id, max(id) from changes where session_id is not null
        group by user_id, session_id order by user_id, session_id
        on conflict (user_id, session_id) do update set change = excluded.change
        returning user_id, case_id, session_id, xmax = 0 as is_new)
      select (select max(id) from changes)::float8 as change,
        (select json_agg(json_build_object('user_id', user_id, 'case_id', case_id, 'session_id', session_id))
          from noted where is_new) as whose`)
    const { change, whose } = found[0] ?? {}
    if (!change) return 0
    await tx.update(webhookPosition).set({ change })
    await announceEach(tx, 'send-webhook', whose ?? [])
    return whose?.length ?? 0
  })

/** What a worker without a receiver found. */
interface Ended {
  /** Whether another worker still sends webhooks. */
  areOn: boolean
  /** Webhooks that were removed before they arrived. */
  removed: number
}

/**
 * Ends webhooks, if no worker that has a receiver was seen lately: forgets how far changes were read, and removes what waits. Locks
 * the row of the position, then rows of `webhooks`.
 */
export const endWebhooks = (db: Database): Promise<Ended> =>
  db.transaction(async (tx) => {
    const isOld = sql`${webhookPosition.seenAt} < now() - make_interval(secs => ${goneSeconds})`
    await tx.delete(webhookPosition).where(isOld)
    const [row] = await tx.execute<{ are_on: boolean; removed: number }>(sql`
      with removed as (delete from ${webhooks} where not exists (select from ${webhookPosition}) returning id)
      select exists (select from ${webhookPosition}) as are_on, (select count(*) from removed)::int as removed`)
    return { areOn: row?.are_on ?? false, removed: row?.removed ?? 0 }
  })

/** Returns the round of a worker without a receiver: it ends webhooks, and logs what the operator has to know of that. */
export function createWebhookEnder({ db, log }: { db: Database; log: Pick<Log, 'warn'> }) {
  return async (): Promise<void> => {
    const { areOn, removed } = await endWebhooks(db)
    if (areOn) log.warn({}, 'this worker has no WEBHOOK_URL, and leaves webhooks to the workers that have one')
    if (removed > 0) log.warn({ webhooks: removed }, 'webhooks that had not arrived were removed, as they are off')
  }
}

/** Removes what was given up a week ago. */
export const forgetDeadWebhooks = (db: Database) =>
  db.delete(outbox).where(
    // The name is a literal, because it must match that of the partial index.
    sql`${outbox.name} = 'send-webhook' and ${outbox.failedAt} < now() - make_interval(secs => ${deadLetterSeconds})`,
  )
