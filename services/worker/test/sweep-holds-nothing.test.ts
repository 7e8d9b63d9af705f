/** A sweep of a large bucket takes hours, in which vacuum has to remove rows as before. */
import { seedSession, testDatabase, testStore } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { sweepOrphansAlone } from '../src/reconcile/orphans.ts'

t.test('a sweep keeps no snapshot while it lists the bucket', async (t) => {
  const { db, as } = await testDatabase(t)
  await seedSession(db)
  const store = await testStore(t, 'file')
  const held: unknown[] = []
  const list: typeof store.list = async function* (prefix) {
    const open = await db.execute(
      sql`select state, backend_xmin, backend_xid from pg_stat_activity
        where datname = current_database() and state like 'idle in transaction%'`,
    )
    held.push(...open)
    yield* store.list(prefix)
  }
  await sweepOrphansAlone({ db: as('worker'), store: { ...store, list }, phase: 'LOCAL' }, 0)
  t.ok(held.length > 0, 'its lock is held')
  for (const one of held) t.match(one, { state: 'idle in transaction', backend_xmin: null, backend_xid: null })
})
