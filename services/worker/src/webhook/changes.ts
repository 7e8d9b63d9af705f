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
/** For how long operators can see what was given up. */
const deadLetterSeconds = 7 * 86_400

/**
 * Reads the changes since the last round, and announces a job for each session that has none. The first round begins with what changes
 * from then on. One process at a time does it; it holds the row of the position. Returns the number of jobs.
 */
export const announceWebhooks = (db: Database): Promise<number> =>
  db.transaction(async (tx) => {
    const [position] = await tx.select().from(webhookPosition).for('update', { skipLocked: true })
    if (!position) {
      const newest = sql`(select coalesce(max(id), 0) from ${sessionChanges})`
      await tx.insert(webhookPosition).values({ change: newest }).onConflictDoNothing()
      return 0
    }
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

/** Forgets how far changes were read, once webhooks are off. */
export const forgetPosition = (db: Database) => db.delete(webhookPosition)

/** Removes what was given up a week ago. */
export const forgetDeadWebhooks = (db: Database) =>
  db.delete(outbox).where(
    // The name is a literal, because it must match that of the partial index.
    sql`${outbox.name} = 'send-webhook' and ${outbox.failedAt} < now() - make_interval(secs => ${deadLetterSeconds})`,
  )
