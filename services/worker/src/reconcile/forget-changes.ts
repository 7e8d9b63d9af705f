import { changeSeconds, type Database, sessionChanges } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/** Changes removed in one round. */
const batchRows = 10_000

/**
 * Removes changes of sessions that are older than `changeSeconds`, from the oldest on and without the newest; returns their
 * number. An event stream asks whether what follows its last event is still there by the smallest number.
 */
export async function forgetChanges(db: Database): Promise<number> {
  const removed = await db.execute(sql`
    delete from ${sessionChanges} where id in (
      select id from ${sessionChanges} where id < coalesce(
        (select id from ${sessionChanges}
          where created_at > now() - make_interval(secs => ${changeSeconds}) order by id limit 1),
        (select max(id) from ${sessionChanges}))
      order by id limit ${batchRows}
    ) returning id`)
  return removed.length
}
