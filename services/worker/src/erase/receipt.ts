import type { Keeping, ObjectLock } from '@playtherapy/object-store'
import { erasedKeys, type erasures, installation, type Transaction } from '@playtherapy/schema'
import { asc, countDistinct, eq, sql } from 'drizzle-orm'
import { hashOf } from './removal.ts'

/** Most hashes in a receipt, of some 1.4 MB. */
const mostHashes = 20_000

type Erasure = typeof erasures.$inferSelect

interface Left {
  locks: ObjectLock[]
  keeping: Keeping
}

/**
 * The payload of the receipt of an erasure: what was erased, when and by whom it was asked for, what each of the two removals found,
 * the hashes of all keys, and in plain sentences what may still be kept elsewhere. Everything in it is an id, a number, a time or a
 * hash. packages/decisions/erasure-receipts.md says why.
 */
export async function receiptOf(tx: Transaction, erasure: Erasure, { locks, keeping }: Left): Promise<object> {
  const ofErasure = eq(erasedKeys.erasureId, erasure.id)
  const [own] = await tx.select({ id: installation.id }).from(installation)
  const sum = (column: 'versions' | 'bytes' | 'uploads') => sql<number>`sum(${erasedKeys[column]})::float8`
  const found = await tx
    .select({
      sweep: erasedKeys.sweep,
      objects: sql<number>`(count(*) filter (where ${erasedKeys.versions} > 0))::int`,
      versions: sum('versions'),
      bytes: sum('bytes'),
      uploads: sum('uploads'),
    })
    .from(erasedKeys)
    .where(ofErasure)
    .groupBy(erasedKeys.sweep)
  const [all] = await tx
    .select({ keys: countDistinct(erasedKeys.hash) })
    .from(erasedKeys)
    .where(ofErasure)
  const hashes = await tx
    .selectDistinct({ hash: erasedKeys.hash })
    .from(erasedKeys)
    .where(ofErasure)
    .orderBy(asc(erasedKeys.hash))
    .limit(mostHashes)
  const sweepOf = (number: number, at: Date | null) => {
    const { objects, versions, bytes, uploads } = found.find(({ sweep }) => sweep === number) ?? nothing
    return { at: at?.toISOString() ?? null, objects, versions, bytes, uploads }
  }
  return {
    iss: `urn:uuid:${own?.id}`,
    iat: Math.floor((erasure.lastSweptAt?.getTime() ?? 0) / 1_000),
    jti: erasure.publicId,
    erased: {
      kind: erasure.videoId !== null ? 'recording' : erasure.sessionId !== null ? 'session' : 'case',
      case_id: erasure.caseId,
      session_id: erasure.sessionId,
      video_id: erasure.videoId,
    },
    asked: {
      at: erasure.createdAt.toISOString(),
      by: erasure.askedBy,
      user_id: erasure.userId,
      request_id: erasure.requestId,
    },
    sweeps: [sweepOf(1, erasure.firstSweptAt), sweepOf(2, erasure.lastSweptAt)],
    keys: { count: all?.keys ?? 0, hash: 'SHA-256', sha256: hashes.map(({ hash }) => hash) },
    // A server answers in any order; a receipt always has that of the keys.
    locked: locks
      .toSorted((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ key, until }) => ({ sha256: hashOf(key), until: until?.toISOString() ?? null })),
    kept_elsewhere: sentencesOf(locks, keeping),
  }
}

const nothing = { objects: 0, versions: 0, bytes: 0, uploads: 0 }

/** What may still be kept, in plain sentences. */
function sentencesOf(locks: ObjectLock[], { versions, lock, replication }: Keeping): string[] {
  const sentences = {
    'Object Lock keeps the objects listed under "locked". They are removed when their locks have ended.':
      locks.length > 0,
    'The bucket keeps versions. All versions of these objects were removed, but for those that are locked.': versions,
    'The bucket has Object Lock. It kept none of these objects.': lock && locks.length === 0,
    'The bucket is replicated. What was copied to the other bucket is not removed by this erasure.': replication,
    'The object store does not tell whether it keeps versions.': versions === undefined,
    'The object store does not tell whether it has Object Lock. It kept none of these objects.':
      lock === undefined && locks.length === 0,
    'The object store does not tell whether it is replicated.': replication === undefined,
    'Backups of the database and of the object store that were made before are not a part of this erasure.': true,
  }
  return Object.entries(sentences).flatMap(([sentence, applies]) => (applies ? [sentence] : []))
}
