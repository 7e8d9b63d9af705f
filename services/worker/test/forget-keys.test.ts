import { cases, idempotencyKeys } from '@playtherapy/schema'
import { testDatabase } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { forgetKeys } from '../src/reconcile/forget-keys.ts'

t.test('keys of repeated requests are forgotten after a day', async (t) => {
  const { db } = await testDatabase(t)
  const [owned] = await db.insert(cases).values({ userId: 1, givenName: 'a' }).returning()
  const made = { request: 'digest', caseId: owned?.id ?? 0 }
  await db.insert(idempotencyKeys).values([
    { userId: 1, key: 'old', ...made, createdAt: sql`now() - interval '25 hours'` },
    { userId: 1, key: 'young', ...made, createdAt: sql`now() - interval '23 hours'` },
    { userId: 2, key: 'old', ...made },
  ])
  t.equal(await forgetKeys(db), 1)
  const left = await db.select({ userId: idempotencyKeys.userId, key: idempotencyKeys.key }).from(idempotencyKeys)
  t.strictSame(
    left.sort((a, b) => a.userId - b.userId),
    [
      { userId: 1, key: 'young' },
      { userId: 2, key: 'old' },
    ],
  )
  t.equal(await forgetKeys(db), 0)
})
