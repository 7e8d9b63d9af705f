import type { StoredPart, Tail } from '@playtherapy/object-store'
import {
  type Container,
  cases,
  type Database,
  lockBeginnings,
  ownCases,
  sessions,
  statement,
  type Transaction,
  tusParts,
  tusUploads,
  videos,
} from '@playtherapy/schema'
import { and, asc, eq, gt, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm'

/** An upload of a session; the guard found the session to be the caller's. */
export interface OfSession {
  sessionId: number
  uploadId: string
}

/** How much of a recording is durable, and what is known of it. */
export interface Progress {
  length: number | null
  storeId: string | null
  partsBytes: number
  nextPart: number
  tail: Tail | undefined
  /** The first bytes in base64, until the container is known. */
  start: string
  container: Container | null
}

/** An upload that this process writes, as long as it renews its lease; `progress` is what the next save writes. */
export interface Held extends OfSession {
  videoId: number
  path: string
  fileName: string
  holder: string
  progress: Progress
  expiresAt: Date
}

/** Bytes that are durable. */
export const offsetOf = ({ partsBytes, tail }: Pick<Progress, 'partsBytes' | 'tail'>) => partsBytes + (tail?.size ?? 0)

/** A request that writes counts as dead when it has not renewed its lease for so long. */
const leaseSeconds = 5
const lease = sql`now() + make_interval(secs => ${sql.raw(String(leaseSeconds))})`
/** Matches an upload of this session, with its video. */
const isWanted = ({ sessionId, uploadId }: OfSession): SQL | undefined =>
  and(eq(tusUploads.id, uploadId), eq(videos.id, tusUploads.videoId), eq(videos.sessionId, sessionId))

const isFree = or(isNull(tusUploads.holder), lt(tusUploads.heldUntil, sql`now()`))

const progressColumns = {
  length: tusUploads.length,
  storeId: tusUploads.storeId,
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

const progressOf = ({ tailName, tailBytes, ...known }: Row): Progress => ({
  ...known,
  tail: tailName ? { name: tailName, size: tailBytes } : undefined,
})

/** What is known of an upload; undefined when the session has no such upload. */
export async function find(db: Database, wanted: OfSession) {
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
    .where(isWanted(wanted))
  return row && { ...row, progress: progressOf(row) }
}

/**
 * Takes the right to write an upload, if it can still be written and nobody has that right; undefined otherwise. Then whoever
 * has it is asked to end.
 */
export async function claim(db: Database, wanted: OfSession, holder: string): Promise<Held | undefined> {
  const open = and(isWanted(wanted), eq(videos.state, 'receiving'), gt(tusUploads.expiresAt, sql`now()`))
  const [row] = await db
    .update(tusUploads)
    .set({
      holder,
      heldUntil: lease,
      isWanted: false,
    })
    .from(videos)
    .where(and(open, isFree))
    .returning({
      ...progressColumns,
      videoId: videos.id,
      path: videos.path,
      fileName: videos.fileName,
      expiresAt: tusUploads.expiresAt,
    })
  if (!row) {
    await db
      .update(tusUploads)
      .set({ isWanted: true })
      .from(videos)
      .where(and(open, eq(tusUploads.isWanted, false)))
    return undefined
  }
  const { videoId, path, fileName, expiresAt, ...known } = row
  return { ...wanted, videoId, path, fileName: fileName ?? '', holder, expiresAt, progress: progressOf(known) }
}

/**
 * Returns a function that saves how far an upload has come, with parts that are new, and renews its lease or, with `isLast`, ends
 * it. It returns whether another request waits for that end, and undefined, having saved nothing, if the lease is another's or
 * the video was deleted. Saving the same again changes nothing. Locks the video first, as its deletion does.
 */
export function prepareSave(db: Database) {
  const { placeholder } = sql
  const save = statement<{ is_wanted: boolean }>(
    db,
    sql`with video as (
      update ${videos} set received = ${placeholder('received')}::bigint from ${tusUploads}
      where ${tusUploads.id} = ${placeholder('id')}::uuid and ${tusUploads.holder} = ${placeholder('holder')}::uuid
        and ${videos.id} = ${tusUploads.videoId} and ${videos.state} = 'receiving'
      returning ${videos.id}
    ), upload as (
      update ${tusUploads} set length = ${placeholder('length')}::bigint, store_id = ${placeholder('storeId')}::text,
        parts_bytes = ${placeholder('partsBytes')}::bigint, next_part = ${placeholder('nextPart')}::int,
        tail = ${placeholder('tail')}::text, tail_bytes = ${placeholder('tailBytes')}::int,
        start = ${placeholder('start')}::text, container = ${placeholder('container')}::container,
        holder = ${placeholder('next')}::uuid,
        held_until = case when ${placeholder('next')}::uuid is not null then ${lease} end
      from video
      where ${tusUploads.id} = ${placeholder('id')}::uuid and ${tusUploads.holder} = ${placeholder('holder')}::uuid
        and ${tusUploads.videoId} = video.id
      returning ${tusUploads.id}, ${tusUploads.isWanted}
    ), parts as (
      insert into ${tusParts} (upload_id, number, size, etag)
      select upload.id, part.number, part.size, part.etag
      from upload, jsonb_to_recordset(${placeholder('parts')}::jsonb) as part (number int, size int, etag text)
      on conflict do nothing
    )
    select is_wanted from upload`,
  )
  return async (
    { uploadId, holder, progress }: Held,
    { parts, received, isLast = false }: { parts: StoredPart[]; received: number; isLast?: boolean },
  ): Promise<{ isWanted: boolean } | undefined> => {
    const { tail, ...known } = progress
    const [row] = await save({
      ...known,
      id: uploadId,
      holder,
      received,
      tail: tail?.name ?? null,
      tailBytes: tail?.size ?? 0,
      next: isLast ? null : holder,
      parts: JSON.stringify(parts),
    })
    return row && { isWanted: row.is_wanted }
  }
}

/** All parts of an upload, in their order. */
export const partsOf = (db: Database, uploadId: string): Promise<StoredPart[]> =>
  db
    .select({ number: tusParts.number, size: tusParts.size, etag: tusParts.etag })
    .from(tusParts)
    .where(eq(tusParts.uploadId, uploadId))
    .orderBy(asc(tusParts.number))

/** Ends the right to write an upload that is complete. */
export async function release(db: Database, { uploadId, holder }: Held): Promise<void> {
  const mine = and(eq(tusUploads.id, uploadId), eq(tusUploads.holder, holder))
  await db.update(tusUploads).set({ holder: null, heldUntil: null }).where(mine)
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
  holder: string | undefined,
): Promise<string | undefined> {
  const isHolders = holder === undefined ? undefined : eq(tusUploads.holder, holder)
  const ofUpload = db
    .select({ id: tusUploads.videoId })
    .from(tusUploads)
    .where(and(eq(tusUploads.id, uploadId), isHolders))
  const [row] = await db
    .delete(videos)
    .where(and(inArray(videos.id, ofUpload), eq(videos.sessionId, sessionId), isNull(videos.storedAt)))
    .returning({ path: videos.path })
  return row?.path
}

/** Forgets an upload that is complete; its recording stays. Returns whether there was one. */
export async function forget(db: Database, wanted: OfSession): Promise<boolean> {
  const ofSession = db.select({ id: videos.id }).from(videos).where(eq(videos.sessionId, wanted.sessionId))
  const rows = await db
    .delete(tusUploads)
    .where(and(eq(tusUploads.id, wanted.uploadId), inArray(tusUploads.videoId, ofSession)))
    .returning({ id: tusUploads.id })
  return rows.length > 0
}

export type Save = ReturnType<typeof prepareSave>
