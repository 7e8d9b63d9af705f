import {
  cases,
  chunks,
  erasures,
  renditions,
  reportVersions,
  scriptVersions,
  sessions,
  videos,
} from '@playtherapy/schema'
import { seedEncode, seedSession, storeBackends, testDatabase, testStore, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { assertOwnBucket, installationId } from '../src/reconcile/installation.ts'
import { findOrphans, sweepOrphans } from '../src/reconcile/orphans.ts'

for (const backend of storeBackends) {
  t.test(`what no row owns, on ${backend}`, async (t) => {
    const { db, as } = await testDatabase(t)
    const store = await testStore(t, backend)
    const { sessionId } = await seedSession(db)
    const described = { sessionId, container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
    const [encoding, encoded] = await db
      .insert(videos)
      .values([
        { ...described, state: 'encoding', path: 'LOCAL/1/1/1.mp4', attempt: 2 },
        { ...described, state: 'encoded', path: 'LOCAL/1/1/2.mp4', attempt: 1 },
        { sessionId, state: 'receiving', path: 'LOCAL/1/1/3.mp4' },
      ])
      .returning()
    const [one, two] = [encoding?.id, encoded?.id]
    await db.insert(renditions).values({
      sessionId,
      videoId: two ?? 0,
      path: `LOCAL/1/1/encoded_${two}-1.mp4`,
      size: 5,
      etag: '"1"',
      durationMs: 1,
      width: 1,
      height: 1,
    })
    const made = await seedEncode(db, { id: two ?? 0, path: `LOCAL/1/1/${two}.mp4` })
    const [running] = await db
      .insert(chunks)
      .values({
        videoId: one ?? 0,
        kind: 'picture',
        index: 0,
        fromSeconds: 0,
        toSeconds: 4,
        state: 'encoding',
        attempt: 2,
      })
      .returning()
    // An encoded video that a job adds rungs to, and one to which a job did.
    const [finishing, finished] = await db
      .insert(videos)
      .values([
        {
          ...described,
          state: 'encoded',
          path: 'LOCAL/1/1/a.mp4',
          attempt: 4,
          leaseUntil: sql`now() + interval '1 hour'`,
        },
        {
          ...described,
          state: 'encoded',
          path: 'LOCAL/1/1/b.mp4',
          attempt: 4,
          leaseUntil: sql`now() - interval '1 hour'`,
        },
      ])
      .returning()
    const chunk = running?.id
    const version = { sessionId, version: 1, size: 5 }
    await db.insert(scriptVersions).values({ ...version, userId: 1, path: 'LOCAL/1/1/script_v1.json' })
    await db.insert(reportVersions).values({ ...version, path: 'LOCAL/1/1/analyze_report_v1.json' })

    // Two uploads were here and are gone.
    await db.execute(sql`select setval('videos_id_seq', 7)`)
    await db.execute(sql`select setval('chunks_id_seq', 5)`)

    const random = '0123456789abcdef'.repeat(2)
    const kept = [
      'analyze_report/LOCAL/1/1/analyze_report_v1.json',
      'script/LOCAL/1/1/script_v1.json',
      'video/LOCAL/1/1/1.mp4',
      'video/LOCAL/1/1/2.mp4',
      'video/LOCAL/1/1/3.mp4',
      // The rendition of an attempt that has not committed yet.
      `video/LOCAL/1/1/encoded_${one}-2.mp4`,
      `video/LOCAL/1/1/encoded_${two}-1.mp4`,
      `video/LOCAL/1/1/audio_${one}-2.m4a`,
      ...Object.values(made.paths).map((path) => `video/${path}`),
      `video/LOCAL/1/1/chunk_${one}-${random}-${chunk}-2-upper.mp4`,
      `video/LOCAL/1/1/audio_${one}-${random}-${chunk}-2.m4a`,
      `video/LOCAL/1/1/rung_${one}-${random}-2-upper.mp4`,
      `video/LOCAL/1/1/rung_${finishing?.id}-${random}-4-upper.mp4`,
      `video/LOCAL/1/1/poster_${finishing?.id}-${random}-4.jpg`,
      // A chunk that this database never gave out.
      `video/LOCAL/1/1/chunk_${one}-${random}-6-1-upper.mp4`,
      // Names that this database never gave out.
      'script/LOCAL/1/2/script_v1.json',
      'video/LOCAL/1/1/8.mp4',
      'video/LOCAL/1/1/encoded_8-1.mp4',
      'video/LOCAL/1/1/audio_8-1.m4a',
      'video/LOCAL/1/1/notes.txt',
      `video/LOCAL/1/1/8-${random}.mp4`,
      `video/LOCAL/1/1/encoded_8-${random}-1.mp4`,
      `script/LOCAL/1/2/script_v1-${random}.json`,
      'video/LOCAL/1/1/6-short.mp4',
      `video/LOCAL/1/1/encoded_${one}-${random}-2.mp4`,
      'video/LOCAL/2/1/1.mp4',
      // Another stage's.
      'video/RELEASE/9/9/9.mp4',
    ].sort()
    const orphans = [
      'analyze_report/LOCAL/1/1/analyze_report_v2.json',
      'script/LOCAL/1/1/script_v2.json',
      'video/LOCAL/1/1/6.mp4',
      `video/LOCAL/1/1/encoded_${one}-1.mp4`,
      `video/LOCAL/1/1/encoded_${one}-3.mp4`,
      `video/LOCAL/1/1/encoded_${two}-2.mp4`,
      `video/LOCAL/1/1/audio_${one}-1.m4a`,
      `video/LOCAL/1/1/audio_${two}-2.m4a`,
      // Other attempts, and an attempt at the chunk of another video.
      `video/LOCAL/1/1/chunk_${one}-${random}-${chunk}-1-upper.mp4`,
      `video/LOCAL/1/1/chunk_${one}-${random}-${chunk}-3-lower.mp4`,
      `video/LOCAL/1/1/chunk_${two}-${random}-${chunk}-2-upper.mp4`,
      `video/LOCAL/1/1/chunk_${two}-${random}-${made.chunkId}-1-upper.mp4`,
      `video/LOCAL/1/1/chunk_${two}-${random}-5-1-upper.mp4`,
      `video/LOCAL/1/1/audio_${one}-${random}-${chunk}-1.m4a`,
      `video/LOCAL/1/1/rung_${finishing?.id}-${random}-3-upper.mp4`,
      `video/LOCAL/1/1/rung_${finished?.id}-${random}-4-upper.mp4`,
      `video/LOCAL/1/1/storyboard_${finished?.id}-${random}-4.jpg`,
      `video/LOCAL/1/1/6-${random}.mp4`,
      `video/LOCAL/1/1/encoded_${two}-${random}-2.mp4`,
      `video/LOCAL/1/1/audio_${one}-${random}-1.m4a`,
      `script/LOCAL/1/1/script_v1-${random}.json`,
      `analyze_report/LOCAL/1/1/analyze_report_v2-${random}.json`,
    ].sort()
    const body = async function* () {
      yield Buffer.from('bytes')
    }
    for (const key of [...kept, ...orphans]) await store.put(key, body(), { contentType: 'video/mp4' })
    // An upload that nobody will end: its row is gone.
    let goOn = () => {}
    const silence = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const endless = async function* () {
      yield Buffer.alloc(11 * 1024 ** 2)
      await silence
    }
    const begun = store.put('video/LOCAL/1/1/7.mp4', endless(), { contentType: 'video/mp4' })
    begun.catch(() => {})
    const unfinished = async () => {
      const keys: string[] = []
      for await (const { key } of store.unfinished('video/LOCAL/')) keys.push(key)
      return keys
    }
    while ((await unfinished()).length === 0);

    const resources = { db: as('worker'), store, phase: 'LOCAL' } as const
    const found = async (graceSeconds: number) => {
      const keys: string[] = []
      for await (const batch of findOrphans(resources, graceSeconds)) keys.push(...batch.map(({ key }) => key))
      return keys.sort()
    }
    const left = async () => {
      const keys: string[] = []
      for await (const { key } of store.list('')) keys.push(key)
      return keys.sort()
    }
    t.strictSame(await found(3_600), [], 'none is old enough')
    // Stores note whole seconds.
    while ((await found(0)).length < orphans.length + 1);
    t.strictSame(await found(0), [...orphans, 'video/LOCAL/1/1/7.mp4'].sort())
    t.strictSame(await left(), [...kept, ...orphans].sort(), 'finding removes nothing')
    const { db: empty } = await testDatabase(t)
    t.equal(await sweepOrphans({ ...resources, db: empty }, 0), 0, 'an empty database owns nothing and removes nothing')
    t.equal(await sweepOrphans(resources, 0), orphans.length + 1)
    t.strictSame(await left(), kept)
    t.strictSame(await unfinished(), [])
    goOn()
    await t.rejects(begun)
    t.strictSame(await found(0), [], 'and that was all')
  })
}

t.test('what an erasure is going to remove is left to it, so that its receipt names it', async (t) => {
  const { db, as } = await testDatabase(t)
  const store = await testStore(t, 'file')
  const [whole, ofSession] = [await seedSession(db), await seedSession(db)]
  const keyOf = ({ caseId, sessionId }: { caseId: number; sessionId: number }) =>
    `script/LOCAL/${caseId}/${sessionId}/script_v1.json`
  const [kept] = await db.insert(sessions).values({ caseId: ofSession.caseId, name: 'kept' }).returning()
  const orphan = keyOf({ caseId: ofSession.caseId, sessionId: kept?.id ?? 0 })
  const erased = [keyOf(whole), keyOf(ofSession)]
  for (const key of [...erased, orphan]) await store.put(key, Buffer.from('{}'), { contentType: 'application/json' })
  await db.delete(sessions).where(eq(sessions.id, ofSession.sessionId))
  await db.delete(cases).where(eq(cases.id, whole.caseId))
  await db.insert(erasures).values([{ caseId: whole.caseId }, ofSession])
  const found = async () => {
    const keys: string[] = []
    for await (const batch of findOrphans({ db: as('worker'), store, phase: 'LOCAL' }, 0))
      keys.push(...batch.map(({ key }) => key))
    return keys.sort()
  }
  await until('the orphan is found', found, (keys) => keys.includes(orphan))
  t.strictSame(await found(), [orphan])
  await db.update(erasures).set({ receipt: 'signed' })
  t.strictSame(await found(), [...erased, orphan].sort(), 'nothing else removes them after that')
})

t.test('an orphan that the store cannot remove keeps no other one', async (t) => {
  const { db, as } = await testDatabase(t)
  const store = await testStore(t, 'file')
  const { caseId, sessionId } = await seedSession(db)
  const [video] = await db.insert(videos).values({ sessionId, state: 'receiving', path: 'LOCAL/x.mp4' }).returning()
  const keys = [1, 2, 3].map((n) => `video/LOCAL/${caseId}/${sessionId}/encoded_${video?.id}-${n}.mp4`)
  const script = `script/LOCAL/${caseId}/${sessionId}/script_v1.json`
  for (const key of [...keys, script]) await store.put(key, Buffer.from('bytes'), { contentType: 'video/mp4' })
  const remove = async (wanted: readonly string[]) => {
    await store.delete(wanted.filter((key) => key !== keys[0]))
    if (wanted.includes(keys[0] ?? '')) throw new Error('locked')
  }
  const left = async () => {
    const found: string[] = []
    for await (const { key } of store.list('')) found.push(key)
    return found
  }
  const sweep = () => sweepOrphans({ db: as('worker'), store: { ...store, delete: remove }, phase: 'LOCAL' }, 0)
  // Stores note whole seconds.
  await until('the removal of the others', async () => {
    await sweep().catch(() => {})
    return (await left()).length === 1
  })
  t.strictSame(await left(), [keys[0]])
  await t.rejects(sweep(), { message: 'locked' })
})

t.test('a bucket belongs to one database', async (t) => {
  const [one, other, store] = [await testDatabase(t), await testDatabase(t), await testStore(t, 'file')]
  // The databases of tests are copies of one.
  await other.sql`update installation set id = gen_random_uuid()`
  const [id, otherId] = [await installationId(one.db), await installationId(other.db)]
  await Promise.all([1, 2, 3].map(() => assertOwnBucket(id, store, 'LOCAL')))
  await assertOwnBucket(id, store, 'LOCAL')
  await t.rejects(assertOwnBucket(otherId, store, 'LOCAL'), { message: /belong to another database/ })
  await assertOwnBucket(otherId, store, 'ALPHA')
})
