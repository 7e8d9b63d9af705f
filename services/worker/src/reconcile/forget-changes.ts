import { changeSeconds, type Database, installation, sessionChanges, webhookPosition } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/** Changes removed in one round. A transaction that replaces one of them waits for all, and others that change a session wait for it. */
const batchRows = 1_000
/** A number beyond all. */
const longAfter = Number.MAX_SAFE_INTEGER

/**
 * Removes changes of sessions that are older than `changeSeconds`, from the oldest on, and remembers up to which number; returns how
 * many were removed. An event stream whose client knows less is told to read anew. Left out are a row that is just being replaced,
 * and those that webhooks are still to tell of.
 */
export async function forgetChanges(db: Database): Promise<number> {
  // Only the first rows are looked at, and an array keeps PostgreSQL from reading all to find some.
  const [row] = await db.execute<{ removed: number }>(sql`
    with removed as (
      delete from ${sessionChanges} where id = any(array(
        select id from ${sessionChanges} where id <= (
          select max(id) from (select id from ${sessionChanges} order by id limit ${batchRows}) as first)
          and created_at <= now() - make_interval(secs => ${changeSeconds})
          and id <= coalesce((select change from ${webhookPosition}), ${longAfter})
        order by id for update skip locked
      )) returning id
    ), remembered as (
      update ${installation} set changes_forgotten = (select max(id) from removed)
      where changes_forgotten < (select max(id) from removed)
    )
    select count(*)::int as removed from removed`)
  return row?.removed ?? 0
}
