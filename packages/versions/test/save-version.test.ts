import { createHash } from 'node:crypto'
import { type Database, scriptVersions, sessions, type Transaction } from '@playtherapy/schema'
import { seedSession, testDatabase, testStore } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { saveVersion, scriptSteps } from '../src/index.ts'

/** A session of therapist 7, and saves of scripts into it. */
async function prepare(t: Test) {
  const { db } = await testDatabase(t)
  const store = await testStore(t, 'file')
  const { caseId, sessionId } = await seedSession(db, 7)
  const caller = { userId: 7, caseId, sessionId }
  const stepsFor = (bytes: Buffer, mayFollow = (_current: number) => true) =>
    scriptSteps(db, 'LOCAL', caller, {
      size: bytes.length,
      checksum: createHash('sha256').update(bytes).digest('hex'),
      warnings: [],
      mayFollow,
    })
  const left = async () => {
    const objects: string[] = []
    for await (const { key } of store.list('script/')) objects.push(key)
    const rows = await db.select().from(scriptVersions).orderBy(scriptVersions.version)
    return { objects: objects.length, rows: rows.map(({ version, state }) => `${version} ${state}`) }
  }
  return { db, store, sessionId, stepsFor, left }
}

/** The same database, but the response to its first commit is lost. */
const losingFirstAnswer = (db: Database): Database => {
  let lost = false
  return new Proxy(db, {
    get(target, key) {
      if (key !== 'transaction') return Reflect.get(target, key)
      return async (work: (tx: Transaction) => Promise<unknown>) => {
        const result = await target.transaction(work)
        if (lost) return result
        lost = true
        throw Object.assign(new Error('the connection was closed'), { code: 'CONNECTION_CLOSED' })
      }
    },
  })
}

t.test('a commit whose response was lost is a save, and its object stays', async (t) => {
  const { db, store, sessionId, stepsFor, left } = await prepare(t)
  const bytes = Buffer.from('{"scripts":[]}')
  const steps = stepsFor(bytes, (current) => current === 0)
  t.strictSame(await saveVersion({ db: losingFirstAnswer(db), store }, bytes, steps), { kind: 'saved', version: 1 })
  t.strictSame(await left(), { objects: 1, rows: ['1 stored'] })

  const more = Buffer.from('{"scripts":[] }')
  const wanted = stepsFor(more)
  // The transcriber's job does the same: its script is saved only while a person has saved none.
  const commit: typeof wanted.commit = async (tx, id, etag) => {
    const [session] = await tx.select().from(sessions).where(eq(sessions.id, sessionId)).for('no key update')
    const [current] = await tx
      .select()
      .from(scriptVersions)
      .where(eq(scriptVersions.id, session?.scriptVersionId ?? 0))
    if (current?.version !== 1) return { kind: 'unwanted' }
    return wanted.commit(tx, id, etag)
  }
  t.strictSame(await saveVersion({ db: losingFirstAnswer(db), store }, more, { ...wanted, commit }), {
    kind: 'saved',
    version: 2,
  })
  t.strictSame(await left(), { objects: 2, rows: ['1 stored', '2 stored'] })
})

t.test('a refused save returns the reason, and nothing of it remains', async (t) => {
  const { db, store, sessionId, stepsFor, left } = await prepare(t)
  const [one, two] = [Buffer.from('{"scripts":[]}'), Buffer.from('{"scripts":[] }')]
  const mayBeFirst = (current: number) => current === 0
  /** Saves these bytes while another save begins and ends between the reservation and the commit. */
  const overtaken = async (bytes: Buffer, mayFollow: (current: number) => boolean, other: Buffer) => {
    const steps = stepsFor(bytes, mayFollow)
    const put: typeof store.put = async (...given) => {
      await saveVersion({ db, store }, other, stepsFor(other))
      return store.put(...given)
    }
    return saveVersion({ db, store: { ...store, put } }, bytes, steps)
  }
  t.strictSame(await overtaken(one, mayBeFirst, two), { kind: 'stale', current: 2 }, 'a newer one is current')
  t.strictSame(await left(), { objects: 1, rows: ['2 stored'] })
  t.strictSame(await saveVersion({ db, store }, one, stepsFor(one, mayBeFirst)), { kind: 'stale', current: 2 })
  t.strictSame(await saveVersion({ db, store }, two, stepsFor(two)), { kind: 'saved', version: 2 }, 'the same bytes')
  t.strictSame(await overtaken(one, () => true, one), { kind: 'saved', version: 4 }, 'that are current only since')
  t.strictSame(
    await overtaken(two, () => true, Buffer.from('{}')),
    { kind: 'saved', version: 5 },
    'any may be replaced',
  )
  t.strictSame(await left(), { objects: 4, rows: ['2 stored', '4 stored', '5 stored', '6 stored'] })
  const [session] = await db.select().from(sessions)
  const [current] = await db
    .select()
    .from(scriptVersions)
    .where(eq(scriptVersions.id, session?.scriptVersionId ?? 0))
  t.equal(current?.version, 6, 'the highest number is current')

  const put: typeof store.put = async (...given) => {
    await db.delete(sessions).where(eq(sessions.id, sessionId))
    return store.put(...given)
  }
  const late = Buffer.from('{"scripts":[]  }')
  const before = (await left()).objects
  t.strictSame(await saveVersion({ db, store: { ...store, put } }, late, stepsFor(late)), { kind: 'missing' })
  t.strictSame(await left(), { objects: before, rows: [] })
})
