import {
  cases,
  type Database,
  erasures,
  outbox,
  reportVersions,
  scriptVersions,
  sessions,
  videos,
} from '@playtherapy/schema'
import { seedSession, testDatabase, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { ageFrom, expire, findExpired } from '../src/erase/retention.ts'

const fiveYears = { years: 5, months: 0, days: 0 }

/** Adds a case with one session that has a recording, and sets its state and how long ago all of it happened. */
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
  const then = sql`now() - ${changedAgo}::interval`
  await db.update(cases).set({ caseStateId, updatedAt: then }).where(eq(cases.id, caseId))
  await db.update(sessions).set({ createdAt: then }).where(eq(sessions.id, sessionId))
  await db
    .update(videos)
    .set({ createdAt: then, ...(state === 'stored' && { storedAt: then }) })
    .where(eq(videos.sessionId, sessionId))
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
  for (const text of [
    '',
    '0y',
    '-5y',
    '5',
    'y',
    '5 y',
    '5Y',
    '1.5y',
    '05y',
    '5y1m',
    '99999y',
    '5years',
    '５y',
    '1000y',
    '99999m',
  ]) {
    t.equal(ageFrom(text), undefined, text)
  }
})

t.test('the database can count back every age', async (t) => {
  const { db } = await testDatabase(t)
  await seed(db, 3, '9 years')
  for (const text of ['999y', '9999m', '9999d', '1d']) {
    const age = ageFrom(text)
    t.equal(age && (await expired(db, age)).length, text === '1d' ? 1 : 0, text)
  }
  t.rejects(expired(db, { ...fiveYears, years: 9_999 }), 'which is before its calendar begins')
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

/** What a therapist or a worker does in a case that was finished long ago, without a change of the case itself. */
const uses: Record<string, (db: Database, sessionId: number, caseId: number) => Promise<unknown>> = {
  'a new session': (db, _, caseId) => db.insert(sessions).values({ caseId, name: 'new' }),
  'a new recording': (db, sessionId) =>
    db.insert(videos).values({
      ...{ sessionId, state: 'stored', path: 'new.mp4', container: 'mp4', size: 5, etag: '"1"' },
      storedAt: new Date(),
    }),
  'a recording that took long to come': (db, sessionId) =>
    db.update(videos).set({ storedAt: sql`now()` }).where(eq(videos.sessionId, sessionId)),
  'a presigned URL': (db, sessionId) => db.insert(videos).values({ sessionId, state: 'presigned', path: 'url.mp4' }),
  'an upload that began before and is under way': (db, sessionId) =>
    db
      .insert(videos)
      .values({ sessionId, state: 'receiving', path: 'slow.mp4', createdAt: sql`now() - interval '9 years'` }),
  'a script': (db, sessionId) =>
    db.insert(scriptVersions).values({ sessionId, version: 1, size: 5, userId: 7, path: 'script.json' }),
  'a report': (db, sessionId) =>
    db.insert(reportVersions).values({ sessionId, version: 1, size: 5, path: 'report.json' }),
}
for (const [name, use] of Object.entries(uses)) {
  t.test(`${name} keeps all recordings of a case that was finished long ago`, async (t) => {
    const { db } = await testDatabase(t)
    const { caseId, sessionId } = await seed(db, 3, '6 years')
    const [found] = await expired(db)
    if (!found) throw new Error('nothing was found')
    await use(db, sessionId, caseId)
    t.strictSame(await expired(db), [])
    const before = await db.$count(videos)
    t.strictSame(await expire(db, found, fiveYears), [], 'also where it came between finding and erasing')
    t.equal(await db.$count(videos), before)
    t.equal(await db.$count(erasures), 0)
  })
}

t.test('an upload that begins while the recordings are erased is not erased with them', async (t) => {
  const { db } = await testDatabase(t)
  const { sessionId } = await seed(db, 3, '6 years')
  const [found] = await expired(db)
  if (!found) throw new Error('nothing was found')
  const erasing = await db.transaction(async (tx) => {
    await tx.insert(videos).values({ sessionId, state: 'receiving', path: 'begun.mp4' })
    const pending = expire(db, found, fiveYears)
    await until(
      'the erasure waits for the upload',
      () =>
        db.execute<{ n: number }>(
          sql`select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        ),
      ([row]) => row?.n === 1,
    )
    return { pending }
  })
  t.strictSame(await erasing.pending, [])
  t.equal(await db.$count(videos), 2)
})

t.test('more sessions than are looked up at once are all found', async (t) => {
  const { db } = await testDatabase(t)
  const { caseId } = await seed(db, 3, '6 years')
  await db.execute(sql`with s as (insert into sessions (case_id, name, created_at)
      select ${caseId}, 'x', now() - interval '6 years' from generate_series(1, 250) returning id)
    insert into videos (session_id, state, path, failure, created_at)
      select id, 'failed', 'p' || id, 'x', now() - interval '6 years' from s`)
  t.equal((await expired(db)).length, 251)
})
