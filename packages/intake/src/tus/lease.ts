import type { StoredPart } from '@playtherapy/object-store'
import { type Database, statement, tusParts, tusUploads, videos } from '@playtherapy/schema'
import { and, asc, eq, gt, sql } from 'drizzle-orm'
import { isFree, isUpload, type OfSession, type Progress, progressColumns, progressOf } from './repository.ts'

/** An upload that this process writes, as long as it renews its lease; `progress` is what the next save writes. */
export interface Held extends OfSession {
  videoId: number
  path: string
  fileName: string
  holder: string
  progress: Progress
  expiresAt: Date
}

/** A request that writes counts as dead when it has not renewed its lease for so long. */
const leaseSeconds = 5
const lease = sql`now() + make_interval(secs => ${sql.raw(String(leaseSeconds))})`

/**
 * Takes the right to write an upload, if it can still be written and nobody has that right; undefined otherwise. Then whoever
 * has it is asked to end.
 */
export async function claim(db: Database, upload: OfSession, holder: string): Promise<Held | undefined> {
  const open = and(isUpload(upload), eq(videos.state, 'receiving'), gt(tusUploads.expiresAt, sql`now()`))
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
  return { ...upload, videoId, path, fileName: fileName ?? '', holder, expiresAt, progress: progressOf(known) }
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
        request_bytes = ${placeholder('requestBytes')}::bigint, parts_bytes = ${placeholder('partsBytes')}::bigint, next_part = ${placeholder('nextPart')}::int,
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

export type Save = ReturnType<typeof prepareSave>
