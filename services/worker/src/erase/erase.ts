import { PermanentError } from '@playtherapy/jobs'
import { type ObjectLock, type ObjectStore, type Phase, prefixesOf } from '@playtherapy/object-store'
import {
  announce,
  cases,
  type Database,
  erasedKeys,
  erasures,
  lastSweepSeconds,
  sessions,
  videos,
} from '@playtherapy/schema'
import { and, eq, isNull, sql } from 'drizzle-orm'
import { unownedExports } from '../export/export-case.ts'
import { signReceipt } from './jws.ts'
import { receiptOf } from './receipt.ts'
import { openReceiptKey } from './receipt-key.ts'
import { assertNothingBelow, type Doomed, removeBelow } from './removal.ts'
import { forgetTraces } from './traces.ts'

/** A run that comes a little early is the last one all the same. */
const marginSeconds = 3_600
/** A legal hold has no end that is known: it is looked again after a week. */
const lookAgainMs = 7 * 86_400_000

/** Whether there is a receipt that says all there is to say today. */
const isDone = sql<boolean>`(${erasures.receipt} is not null and coalesce(${erasures.lockedUntil} > now(), true))`

/**
 * Whether the row of what is to be erased is still there. Ids are never used again, and the row is deleted with the transaction that
 * writes the tombstone, so that somebody else wrote this one, or brought the row back. What is asked for is what `prefixesOf` makes of
 * the same ids: without a session all of the case.
 */
const isThere = sql<boolean>`case
  when ${erasures.sessionId} is null then exists (select from ${cases} as t where t.id = ${erasures.caseId})
  when ${erasures.videoId} is null then exists (select from ${sessions} as t where t.id = ${erasures.sessionId})
  else exists (select from ${videos} as t where t.id = ${erasures.videoId}) end`

interface Resources {
  db: Database
  store: ObjectStore
  phase: Phase
}

/**
 * The job of a deleted case, session or video: it removes all its objects and unfinished uploads. It runs at once, and again a
 * day later, when presigned URLs have expired and older uploads have ended; that run finds that nothing is left and signs the
 * receipt. Where the row itself is still there, it is refused and removes nothing. Where Object Lock keeps a version, the receipt says so, and the job comes again after that. It may be repeated.
 */
export function createErase({ db, store, phase }: Resources) {
  return async ({ erasure_id: id }: { erasure_id: number }): Promise<void> => {
    const one = eq(erasures.id, id)
    const [erasure] = await db
      .select({
        caseId: erasures.caseId,
        sessionId: erasures.sessionId,
        videoId: erasures.videoId,
        isSwept: sql<boolean>`${erasures.firstSweptAt} is not null`,
        isLast: sql<boolean>`${erasures.createdAt} < now() - make_interval(secs => ${lastSweepSeconds - marginSeconds})`,
        isDone,
        isThere,
      })
      .from(erasures)
      .where(one)
    if (!erasure || erasure.isDone) return
    if (erasure.isThere) throw new PermanentError('What it is to erase is still there', { fault: 'ours' })
    // An export of the case, which was deleted with the session or recording, has what is erased, too.
    const exported = erasure.sessionId === null ? [] : await unownedExports({ db, store, phase }, erasure.caseId)
    const prefixes = [...prefixesOf(phase, erasure.caseId, erasure.sessionId, erasure.videoId), ...exported]
    const sweep = (number: 1 | 2) => removeBelow(store, prefixes, (doomed) => note(db, id, number, doomed))
    if (!erasure.isSwept || !erasure.isLast) {
      await sweep(1)
      await db
        .update(erasures)
        .set({ firstSweptAt: sql`now()` })
        .where(and(one, isNull(erasures.firstSweptAt)))
    }
    if (!erasure.isLast) return
    const locks = await sweep(2)
    await assertNothingBelow(store, prefixes, new Set(locks.map(({ key }) => key)))
    await finish({ db, store, phase }, id, locks)
  }
}

/** Writes down what is about to be removed. What an attempt before this one has written stays. */
async function note(db: Database, erasureId: number, sweep: 1 | 2, doomed: Doomed[]): Promise<void> {
  if (doomed.length === 0) return
  const most = (column: 'versions' | 'bytes' | 'uploads') =>
    sql`greatest(${erasedKeys[column]}, excluded.${sql.identifier(column)})`
  await db
    .insert(erasedKeys)
    .values(doomed.map((each) => ({ erasureId, sweep, ...each })))
    .onConflictDoUpdate({
      target: [erasedKeys.erasureId, erasedKeys.sweep, erasedKeys.hash],
      set: { versions: most('versions'), bytes: most('bytes'), uploads: most('uploads') },
    })
}

/** Until when the last lock lasts, as far as that is known. */
function endOf(locks: ObjectLock[]): Date | null {
  const ends = locks.map(({ until }) => until?.getTime() ?? Date.now() + lookAgainMs)
  return ends.length > 0 ? new Date(Math.max(...ends)) : null
}

/**
 * Signs the receipt of an erasure whose objects are removed, and forgets what else names what was erased. Where another run of the
 * job was faster, its receipt stays: it names what both removed. Locks the erasure, for update.
 */
async function finish({ db, store, phase }: Resources, id: number, locks: ObjectLock[]): Promise<void> {
  const key = await openReceiptKey(db, store, phase)
  const keeping = await store.keeping()
  const lockedUntil = endOf(locks)
  await db.transaction(async (tx) => {
    const one = eq(erasures.id, id)
    const [before] = await tx
      .select({ isDone, lockedUntil: erasures.lockedUntil })
      .from(erasures)
      .where(one)
      .for('update')
    const forgetKeys = () => tx.delete(erasedKeys).where(eq(erasedKeys.erasureId, id))
    if (before?.isDone) {
      // This run may have noted a key after the other one had signed.
      if (!before.lockedUntil) await forgetKeys()
      return
    }
    const [erasure] = await tx.update(erasures).set({ lastSweptAt: sql`now()`, lockedUntil }).where(one).returning()
    if (!erasure) return
    await forgetTraces(tx, erasure)
    // An older release announced it. Nobody can ask for its receipt.
    if (erasure.userId === null && !lockedUntil) return void (await tx.delete(erasures).where(one))
    const receipt = signReceipt(await receiptOf(tx, erasure, { locks, keeping }), key)
    await tx.update(erasures).set({ receipt }).where(one)
    if (lockedUntil) {
      const job = erasure.videoId === null ? 'erase' : 'erase-video'
      const delaySeconds = Math.max(0, (lockedUntil.getTime() - Date.now()) / 1_000) + 1
      await announce(tx, job, { erasure_id: id }, { delaySeconds })
    } else await forgetKeys()
  })
}
