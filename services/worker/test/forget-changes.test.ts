import { installation, sessionChanges } from '@playtherapy/schema'
import { testDatabase } from '@playtherapy/testing'
import { asc, sql } from 'drizzle-orm'
import t from 'tap'
import { forgetChanges } from '../src/reconcile/forget-changes.ts'

t.test('changes of sessions are forgotten after a day, and it is known up to which', async (t) => {
  const { db } = await testDatabase(t)
  const add = (hours: number) =>
    db
      .insert(sessionChanges)
      .values({ userId: 7, caseId: 1, sessionId: hours, createdAt: sql`now() - make_interval(hours => ${hours})` })
  const left = async () =>
    (await db.select().from(sessionChanges).orderBy(asc(sessionChanges.id))).map(({ sessionId }) => sessionId)
  t.equal(await forgetChanges(db), 0)
  await add(26)
  await add(25)
  const forgotten = async () => (await db.select().from(installation))[0]?.changesForgotten
  t.equal(await forgetChanges(db), 2)
  t.same(await left(), [])
  t.equal(await forgotten(), 2)
  await add(23)
  await add(1)
  await add(1)
  t.equal(await forgetChanges(db), 0)
  t.same(await left(), [23, 1, 1])
  await db.execute(sql`update session_changes set created_at = now() - interval '2 days' where id < 5`)
  t.equal(await forgetChanges(db), 2)
  t.same(await left(), [1])
  t.equal(await forgotten(), 4)
})
