/** Receipts: what the erasure of a case, a session or a recording proves, in both stores. */
import { createHash } from 'node:crypto'
import { createS3Store, receiptKeyKey, renditionPath } from '@playtherapy/object-store'
import {
  announceErasure,
  type Database,
  erasedKeys,
  erasures,
  lastSweepSeconds,
  outbox,
  receiptKeys,
  videos,
} from '@playtherapy/schema'
import {
  hideVersions,
  lockingBucket,
  lockObject,
  seedSession,
  storeBackends,
  type Teardown,
  testBucket,
  testDatabase,
  testStore,
  until,
  versionsIn,
} from '@playtherapy/testing'
import { eq, isNotNull, sql } from 'drizzle-orm'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { createErase } from '../src/erase/erase.ts'
import { ReceiptError, verifyReceipt } from '../src/erase/jws.ts'

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex')

const Sweep = Type.Object({
  at: Type.String(),
  objects: Type.Integer(),
  versions: Type.Integer(),
  bytes: Type.Integer(),
  uploads: Type.Integer(),
})
const Receipt = Type.Object({
  jti: Type.String(),
  erased: Type.Object({ kind: Type.String(), case_id: Type.Integer() }),
  sweeps: Type.Array(Sweep),
  keys: Type.Object({ count: Type.Integer(), sha256: Type.Array(Type.String()) }),
  locked: Type.Array(Type.Object({ sha256: Type.String(), until: Type.Union([Type.String(), Type.Null()]) })),
  kept_elsewhere: Type.Array(Type.String()),
})

const whole = { userId: 7, caseId: 3, sessionId: null, videoId: null, requestId: 'request-1' }
const original = 'LOCAL/3/10/1.mp4'
const keysOfCase = [original, renditionPath(original, 1)]
  .map((path) => `video/${path}`)
  .concat('script/LOCAL/3/10/script_v1.json')

const announced = (db: Database) => db.transaction((tx) => announceErasure(tx, whole))
const only = async (db: Database) => {
  const [row] = await db.select().from(erasures)
  if (!row) throw new Error('no erasure')
  return row
}
/** Lets the time pass until the last removal. */
const aDayLater = (db: Database) =>
  db.update(erasures).set({ createdAt: sql`now() - make_interval(secs => ${lastSweepSeconds})` })
const readReceipt = async (db: Database) =>
  Value.Parse(Receipt, verifyReceipt((await only(db)).receipt ?? '', await db.select().from(receiptKeys)))

for (const backend of storeBackends) {
  t.test(`on ${backend}`, async (t) => {
    const prepare = async (t: Teardown) => {
      const { db } = await testDatabase(t)
      const store = await testStore(t, backend)
      const put = (key: string) => store.put(key, Buffer.from('bytes'), { contentType: 'video/mp4' })
      const publicId = await announced(db)
      const { id } = await only(db)
      const erase = () => createErase({ db, store, phase: 'LOCAL' })({ erasure_id: id })
      return { db, store, put, publicId, erase }
    }

    t.test('the receipt names each key by its hash, and both removals', async (t) => {
      const { db, store, put, publicId, erase } = await prepare(t)
      for (const key of keysOfCase) await put(key)
      await store.beginUpload(`video/${original}`)
      const upload = await store.beginUpload('video/LOCAL/3/11/2.mp4')
      const body = (async function* () {
        yield Buffer.from('the beginning')
      })()
      const options = { length: undefined, onPart() {}, signal: new AbortController().signal }
      await store.appendUpload(
        'video/LOCAL/3/11/2.mp4',
        { id: upload, partsBytes: 0, nextPart: 1, tail: undefined },
        body,
        options,
      )
      await erase()
      t.match(await only(db), { firstSweptAt: Date, lastSweptAt: null, receipt: null })
      const late = 'video/LOCAL/3/12/late.mp4'
      await put(late)
      await aDayLater(db)
      await erase()
      const receipt = await readReceipt(db)
      const expected = [...keysOfCase, 'video/LOCAL/3/11/2.mp4', late].map(sha256).sort()
      t.strictSame(receipt.keys, { count: 5, hash: 'SHA-256', sha256: expected })
      t.match(receipt, {
        jti: publicId,
        erased: { kind: 'case', case_id: 3, session_id: null, video_id: null },
        asked: { by: 'therapist', user_id: 7, request_id: 'request-1' },
        sweeps: [
          { objects: 3, versions: 3, bytes: 15 },
          { objects: 1, versions: 1, bytes: 5, uploads: 0 },
        ],
        locked: [],
      })
      t.ok((receipt.sweeps[0]?.uploads ?? 0) >= 2, 'unfinished uploads')
      t.strictSame(receipt.kept_elsewhere, [
        'Backups of the database and of the object store that were made before are not a part of this erasure.',
      ])
      t.equal(await db.$count(erasedKeys), 0, 'the hashes are in the receipt now')
      const { receipt: signed } = await only(db)
      await erase()
      t.equal((await only(db)).receipt, signed, 'a repeated job changes nothing')
    })

    t.test('what a killed worker had begun to remove is in the receipt, once', async (t) => {
      const { db, store, put, erase } = await prepare(t)
      for (const key of keysOfCase) await put(key)
      const { id } = await only(db)
      const dying = { ...store, delete: () => Promise.reject(new Error('killed')) }
      await t.rejects(createErase({ db, store: dying, phase: 'LOCAL' })({ erasure_id: id }), { message: 'killed' })
      await store.delete([`video/${original}`])
      await erase()
      await aDayLater(db)
      await erase()
      const { keys, sweeps } = await readReceipt(db)
      t.strictSame(keys.sha256, keysOfCase.map(sha256).sort())
      t.match(sweeps, [
        { objects: 3, bytes: 15 },
        { objects: 0, bytes: 0 },
      ])
    })

    t.test('a job that comes a day late does both removals', async (t) => {
      const { db, put, erase } = await prepare(t)
      await put(keysOfCase[0] ?? '')
      await aDayLater(db)
      await erase()
      t.match(await readReceipt(db), { sweeps: [{ objects: 1 }, { objects: 0 }], keys: { count: 1 } })
    })

    t.test('two runs of the last removal at once give one receipt, of all that they removed', async (t) => {
      const { db, store, put } = await prepare(t)
      for (const key of keysOfCase) await put(key)
      await aDayLater(db)
      const { id } = await only(db)
      let first = ''
      let runs = 0
      const together = {
        ...store,
        async keeping() {
          runs++
          // Each run has removed all and is about to sign, before one of them does.
          await until(
            'both runs are here',
            async () => runs,
            (count) => count === 2,
          )
          return store.keeping()
        },
      }
      const erase = createErase({ db, store: together, phase: 'LOCAL' })
      const run = async () => {
        await erase({ erasure_id: id })
        first ||= (await only(db)).receipt ?? ''
      }
      await Promise.all([run(), run()])
      t.equal((await only(db)).receipt, first, 'what was given out stays true')
      t.match(await readReceipt(db), { keys: { count: 3, sha256: keysOfCase.map(sha256).sort() } })
      t.equal(await db.$count(erasedKeys), 0)
    })

    t.test('an erasure of what is still there is refused, and removes nothing', async (t) => {
      const { db, store, put } = await prepare(t)
      const { caseId, sessionId } = await seedSession(db, 7)
      const row = { sessionId, state: 'receiving', path: 'x' } as const
      const [video] = await db.insert(videos).values(row).returning()
      const videoId = video?.id ?? 0
      const key = `video/LOCAL/${caseId}/${sessionId}/${videoId}.mp4`
      await put(key)
      const refuses = async (whose: { sessionId: number | null; videoId: number | null }) => {
        const [tombstone] = await db
          .insert(erasures)
          .values({ userId: 7, caseId, ...whose, createdAt: sql`now() - interval '2 days'` })
          .returning()
        const erasing = createErase({ db, store, phase: 'LOCAL' })({ erasure_id: tombstone?.id ?? 0 })
        await t.rejects(erasing, { name: 'PermanentError', message: /still there/ })
        t.ok(await store.head(key))
      }
      await refuses({ sessionId: null, videoId: null })
      await refuses({ sessionId, videoId: null })
      await refuses({ sessionId, videoId })
      // Whoever may write tombstones of recordings does not erase a case by one that names no session.
      await refuses({ sessionId: null, videoId: videoId + 1 })
      t.equal(await db.$count(erasures, isNotNull(erasures.receipt)), 0)
    })

    t.test('no receipt is given while the store keeps something', async (t) => {
      const { db, store, put, erase } = await prepare(t)
      await put(keysOfCase[0] ?? '')
      await aDayLater(db)
      const { id } = await only(db)
      const lying = { ...store, delete: async () => {} }
      await t.rejects(createErase({ db, store: lying, phase: 'LOCAL' })({ erasure_id: id }), {
        message: 'an object is left',
      })
      t.match(await only(db), { receipt: null, lastSweptAt: null })
      await erase()
      t.match(await readReceipt(db), { keys: { count: 1 } })
    })

    t.test('a receipt that was changed or signed by another key is not genuine', async (t) => {
      const { db, store, erase } = await prepare(t)
      await aDayLater(db)
      await erase()
      const { receipt } = await only(db)
      const [head = '', body = '', signature = ''] = (receipt ?? '').split('.')
      const keys = await db.select().from(receiptKeys)
      const payload = JSON.parse(Buffer.from(body, 'base64url').toString())
      const forged = Buffer.from(JSON.stringify({ ...payload, keys: { count: 0, sha256: [] } })).toString('base64url')
      const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'erasure-receipt+jwt', kid: keys[0]?.kid })).toString(
        'base64url',
      )
      const wrong = [
        `${head}.${forged}.${signature}`,
        `${none}.${body}.${signature}`,
        `${none}.${body}.`,
        `${head}.${body}`,
        '',
        'a.b.c',
      ]
      for (const text of wrong) t.throws(() => verifyReceipt(text, keys), ReceiptError, text.slice(0, 20))
      t.throws(() => verifyReceipt(receipt ?? '', []), { message: /another installation/ })
      t.ok(verifyReceipt(`${receipt}\n`, keys))
      t.equal(keys.length, 1)
      t.ok(await store.head(receiptKeyKey('LOCAL')), 'the private half is in the store')
      t.notMatch(JSON.stringify(keys), /"d"/, 'and not in the database')
    })
  })
}

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

t.test('versions and delete markers are counted', { skip }, async (t) => {
  const { db } = await testDatabase(t)
  const settings = await testBucket()
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  for (let round = 0; round < 2; round++) await hideVersions(t, settings, 'Enabled', keysOfCase)
  await announced(db)
  await aDayLater(db)
  const { id } = await only(db)
  await createErase({ db, store, phase: 'LOCAL' })({ erasure_id: id })
  const { sweeps, kept_elsewhere: kept } = await readReceipt(db)
  t.match(sweeps[0], { objects: 3, versions: 12, bytes: 6 * 'Enabled'.length })
  t.match(kept[0], /^The bucket keeps versions\. All versions of these objects were removed/)
  t.strictSame(await versionsIn(t, settings), [receiptKeyKey('LOCAL')])
})

t.test('the receipt says what Object Lock keeps, until it is removed', { skip }, async (t) => {
  const { db } = await testDatabase(t)
  const settings = await lockingBucket(t)
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const [locked = '', held = ''] = keysOfCase
  for (const key of keysOfCase) await store.put(key, Buffer.from('bytes'), { contentType: 'video/mp4' })
  const end = new Date(Date.now() + 4_000)
  await lockObject(t, settings, locked, end)
  await lockObject(t, settings, held, 'held')
  await announced(db)
  await aDayLater(db)
  const { id } = await only(db)
  const erase = () => createErase({ db, store, phase: 'LOCAL' })({ erasure_id: id })
  await erase()
  t.strictSame(
    (await versionsIn(t, settings)).sort(),
    [receiptKeyKey('LOCAL'), held, locked].sort(),
    'all else is removed',
  )
  const receipt = await readReceipt(db)
  t.match(receipt.locked, [
    { sha256: sha256(locked), until: String },
    { sha256: sha256(held), until: null },
  ])
  t.match(receipt.kept_elsewhere[0], /^Object Lock keeps the objects/)
  t.match(await only(db), { lockedUntil: Date, receipt: String })
  t.equal((await db.select().from(outbox).where(eq(outbox.name, 'erase'))).length, 3, 'the job comes again')
  await erase()
  t.strictSame(await readReceipt(db), receipt, 'not before the lock has ended')

  await lockObject(t, settings, held, 'released')
  await until(
    'the lock has ended',
    async () => Date.now(),
    (now) => now > end.getTime(),
  )
  await db.update(erasures).set({ lockedUntil: sql`now()` })
  await erase()
  const { locked: left, keys } = await readReceipt(db)
  t.strictSame({ left, keys: keys.count }, { left: [], keys: 3 })
  t.match(await only(db), { lockedUntil: null })
  t.strictSame(await versionsIn(t, settings), [receiptKeyKey('LOCAL')])
})
