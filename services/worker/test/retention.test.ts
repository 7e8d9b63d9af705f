import { cases, type Database, erasures, outbox, sessions, videos } from '@playtherapy/schema'
import { seedSession, testDatabase } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { ageFrom, expire, findExpired } from '../src/erase/retention.ts'

const fiveYears = { years: 5, months: 0, days: 0 }

/** Adds a case with one session that has a recording, and sets its state and when it was last changed. */
async function seed(db: Database, caseStateId: number, changedAgo: string, state: 'stored' | 'presigned' = 'stored') {
  const { caseId, sessionId } = await seedSession(db, 7)
  const durable = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
  const row = { sessionId, state, path: `LOCAL/${caseId}/${sessionId}/1.mp4`, ...(state === 'stored' && durable) }
  const [video] = await db.insert(videos).values(row).returning()
  if (state === 'stored')
    await db
      .update(sessions)
      .set({ videoId: video?.id ?? 0, encodingStateId: 1 })
      .where(eq(sessions.id, sessionId))
  const updatedAt = sql`now() - ${changedAgo}::interval`
  await db.update(cases).set({ caseStateId, updatedAt }).where(eq(cases.id, caseId))
  return { caseId, sessionId, videoId: video?.id ?? 0 }
}

async function expired(db: Database, age = fiveYears) {
  const found = []
  for await (const each of findExpired(db, age)) found.push(each)
  return found
}

t.test('an age is a number of years, months or days, and never none', async (t) => {
  t.strictSame(ageFrom('5y'), fiveYears)
  t.strictSame(ageFrom('18m'), { years: 0, months: 18, days: 0 })
  t.strictSame(ageFrom('400d'), { years: 0, months: 0, days: 400 })
  for (const text of ['', '0y', '-5y', '5', 'y', '5 y', '5Y', '1.5y', '05y', '5y1m', '99999y', '5years', '５y']) {
    t.equal(ageFrom(text), undefined, text)
  }
})

t.test('only recordings of cases that have been finished for so long are erased, one erasure each', async (t) => {
  const { db } = await testDatabase(t)
  const old = await seed(db, 3, '5 years 1 day')
  await seed(db, 3, '4 years 364 days')
  await seed(db, 2, '9 years')
  await seed(db, 1, '9 years')
  await seed(db, 3, '9 years', 'presigned')
  const found = await expired(db)
  t.strictSame(found, [{ userId: 7, caseId: old.caseId, sessionId: old.sessionId, recordings: 1 }])
  t.equal(await db.$count(videos), 5, 'finding them changes nothing')

  for (const each of found) {
    t.match(await expire(db, each, fiveYears), [{ videoId: old.videoId, erasure: String }])
    t.strictSame(await expire(db, each, fiveYears), [], 'it may be repeated')
  }
  t.strictSame(await expired(db), [])
  t.match(await db.select().from(erasures), [
    {
      userId: 7,
      askedBy: 'retention',
      requestId: null,
      caseId: old.caseId,
      sessionId: old.sessionId,
      videoId: old.videoId,
    },
  ])
  t.match(await db.select().from(outbox), [{ name: 'erase-video' }, { name: 'erase-video' }])
  t.match(await db.select().from(sessions).where(eq(sessions.id, old.sessionId)), [
    { videoId: null, encodingStateId: 5 },
  ])
  t.equal(await db.$count(cases), 5, 'the cases stay')
})

t.test('a case that is opened again between finding and erasing keeps its recordings', async (t) => {
  const { db } = await testDatabase(t)
  const { caseId } = await seed(db, 3, '6 years')
  const [found] = await expired(db)
  if (!found) throw new Error('nothing was found')
  await db.update(cases).set({ caseStateId: 2, updatedAt: sql`now()` }).where(eq(cases.id, caseId))
  t.strictSame(await expire(db, found, fiveYears), [])
  t.equal(await db.$count(videos), 1)
})

t.test('more sessions than are looked up at once are all found', async (t) => {
  const { db } = await testDatabase(t)
  const { caseId } = await seed(db, 3, '6 years')
  await db.execute(sql`with s as (insert into sessions (case_id, name) select ${caseId}, 'x' from generate_series(1, 250) returning id)
    insert into videos (session_id, state, path) select id, 'receiving', 'p' || id from s`)
  t.equal((await expired(db)).length, 251)
})
