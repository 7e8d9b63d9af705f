import type { Tail } from '@playtherapy/object-store'
import {
  because,
  type Cause,
  type Container,
  cases,
  type Database,
  lockBeginnings,
  ownCases,
  sessions,
  type Transaction,
  tusUploads,
  videos,
} from '@playtherapy/schema'
import { and, eq, gt, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm'

/** An upload of a session; the guard found the session to be the caller's. */
export interface OfSession {
  sessionId: number
  uploadId: string
}

/** How much of a recording is durable, and what is known of it. */
export interface Progress {
  length: number | null
  storeId: string | null
  /** Bytes of the first request, if that told them: of a client that sends pieces, the others have as many. */
  requestBytes: number | null
  partsBytes: number
  nextPart: number
  tail: Tail | undefined
  /** The first bytes in base64, until the container is known. */
  start: string
  container: Container | null
}

/** Bytes that are durable. */
export const offsetOf = ({ partsBytes, tail }: Pick<Progress, 'partsBytes' | 'tail'>) => partsBytes + (tail?.size ?? 0)

/** Matches an upload of this session, with its video. */
export const isUpload = ({ sessionId, uploadId }: OfSession): SQL | undefined =>
  and(eq(tusUploads.id, uploadId), eq(videos.id, tusUploads.videoId), eq(videos.sessionId, sessionId))

/** Matches an upload that no request writes. */
export const isFree = or(isNull(tusUploads.holder), lt(tusUploads.heldUntil, sql`now()`))

export const progressColumns = {
  length: tusUploads.length,
  storeId: tusUploads.storeId,
  requestBytes: tusUploads.requestBytes,
  partsBytes: tusUploads.partsBytes,
  nextPart: tusUploads.nextPart,
  tailName: tusUploads.tail,
  tailBytes: tusUploads.tailBytes,
  start: tusUploads.start,
  container: tusUploads.container,
}

interface Row extends Omit<Progress, 'tail'> {
  tailName: string | null
  tailBytes: number
}

export const progressOf = ({ tailName, tailBytes, ...known }: Row): Progress => ({
  ...known,
  tail: tailName ? { name: tailName, size: tailBytes } : undefined,
})

/** What is known of an upload; undefined when the session has no such upload. */
export async function find(db: Database, upload: OfSession) {
  const [row] = await db
    .select({
      ...progressColumns,
      metadata: tusUploads.metadata,
      expiresAt: tusUploads.expiresAt,
      isDurable: sql<boolean>`${videos.storedAt} is not null`,
      isOver: sql<boolean>`${videos.state} = 'failed' or ${tusUploads.expiresAt} <= now()`,
      isFree: sql<boolean>`${isFree}`,
      size: videos.size,
    })
    .from(tusUploads)
    .innerJoin(videos, eq(videos.id, tusUploads.videoId))
    .where(isUpload(upload))
  return row && { ...row, progress: progressOf(row) }
}

/** Counts the uploads of this therapist that can be continued. Waits for others of the same therapist that are just begun. */
export async function countOpen(tx: Transaction, userId: number): Promise<number> {
  await lockBeginnings(tx, userId)
  const rows = await tx
    .select({ id: tusUploads.id })
    .from(cases)
    .innerJoin(sessions, eq(sessions.caseId, cases.id))
    .innerJoin(videos, eq(videos.sessionId, sessions.id))
    .innerJoin(tusUploads, eq(tusUploads.videoId, videos.id))
    .where(and(ownCases(userId), eq(videos.state, 'receiving'), gt(tusUploads.expiresAt, sql`now()`)))
  return rows.length
}

/**
 * Deletes the video of an upload that is not complete, and with it the upload; returns its path. Undefined if the session has
 * no such upload, or not one that `holder` writes.
 */
export async function removeOpen(
  db: Database,
  { sessionId, uploadId }: OfSession,
  { holder, cause }: { holder?: string; cause?: Cause | undefined },
): Promise<string | undefined> {
  const isHolders = holder === undefined ? undefined : eq(tusUploads.holder, holder)
  const ofUpload = db
    .select({ id: tusUploads.videoId })
    .from(tusUploads)
    .where(and(eq(tusUploads.id, uploadId), isHolders))
  const [row] = await db
    .delete(videos)
    .where(and(inArray(videos.id, ofUpload), eq(videos.sessionId, sessionId), isNull(videos.storedAt), because(cause)))
    .returning({ path: videos.path })
  return row?.path
}

/** Forgets an upload that is complete; its recording stays. Returns whether there was one. */
export async function forget(db: Database, upload: OfSession): Promise<boolean> {
  const ofSession = db.select({ id: videos.id }).from(videos).where(eq(videos.sessionId, upload.sessionId))
  const rows = await db
    .delete(tusUploads)
    .where(and(eq(tusUploads.id, upload.uploadId), inArray(tusUploads.videoId, ofSession)))
    .returning({ id: tusUploads.id })
  return rows.length > 0
}
