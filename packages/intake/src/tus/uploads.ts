import { randomUUID } from 'node:crypto'
import { originalPath } from '@playtherapy/object-store'
import { type Cause, tusUploads } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { EmptyError, TooLargeError } from '../errors.ts'
import type { IntakeResources } from '../receive-original.ts'
import { nextVideo, reserveVideo } from '../reserve-video.ts'
import { type Appended, createAppends } from './append.ts'
import { TooManyUploadsError, UploadExpiredError, UploadMissingError } from './errors.ts'
import { countOpen, find, forget, type OfSession, offsetOf } from './repository.ts'

export interface TusOptions extends IntakeResources {
  /** The most bytes that a recording may have. */
  limit: number
  /** An upload that is not complete so long after its creation is removed. */
  expirySeconds: number
}

/** A therapist may have this many uploads that are not complete. */
const mostOpen = 8

export interface NewUpload {
  caseId: number
  sessionId: number
  userId: number
  cause: Cause
  /** The client's name for the file; it is stored and never becomes part of a key. */
  fileName: string
  /** Bytes of the recording; undefined if the client will tell later. */
  length: number | undefined
  /** The header `Upload-Metadata`, as it was sent. */
  metadata: string | undefined
}

export interface UploadStatus extends Omit<Appended, 'wasStopped'> {
  length: number | null
  metadata: string | null
}

/**
 * Uploads that may come in several requests, at any process (tus 1.0): what came before a cut is kept, and the last byte is
 * answered when the recording is registered. The state is in the database and the store. Methods that name an upload throw
 * UploadMissingError, UploadExpiredError, UploadHeldError, StoreFailedError.
 */
export function createTusUploads({ db, store, phase, limit, expirySeconds }: TusOptions) {
  const { append, finish, discard, stop } = createAppends({ db, store, limit })

  return {
    append,

    /**
     * Begins an upload, as the newest recording of its session. Throws EmptyError, TooLargeError, TooManyUploadsError,
     * SessionDeletedError, and StoreFailedError when the store is down.
     */
    async create({ caseId, sessionId, userId, cause, fileName, length, metadata }: NewUpload) {
      if (length === 0) throw new EmptyError()
      if (length !== undefined && length > limit) throw new TooLargeError(limit)
      const pathOf = (videoId: number) => originalPath(phase, caseId, sessionId, videoId)
      const video = await nextVideo({ db, store }, pathOf)
      const expiry = sql`now() + make_interval(secs => ${expirySeconds})`
      return db.transaction(async (tx) => {
        if ((await countOpen(tx, userId)) >= mostOpen) throw new TooManyUploadsError(mostOpen)
        await reserveVideo(tx, video, { sessionId, state: 'receiving', cause, fileName, leaseUntil: expiry })
        const [row] = await tx
          .insert(tusUploads)
          .values({ id: randomUUID(), videoId: video.id, length, metadata, expiresAt: expiry })
          .returning({ uploadId: tusUploads.id, expiresAt: tusUploads.expiresAt })
        if (!row) throw new Error('the insert returned no row')
        return row
      })
    },

    /**
     * How far an upload has come. A request that writes it and whose client is silent is ended before, so that the offset
     * stays what it is. Completes an upload whose process died between its last byte and the registration.
     */
    async status(upload: OfSession, signal: AbortSignal, cause: Cause): Promise<UploadStatus> {
      const read = async () => {
        const found = await find(db, upload)
        if (!found) throw new UploadMissingError()
        return found
      }
      let found = await read()
      const isWhole = offsetOf(found.progress) === found.progress.length
      if (!found.isDurable && (!found.isFree || isWhole)) {
        await finish(upload, signal, cause)
        found = await read()
      }
      const { isDurable, isOver, size, metadata, progress, expiresAt } = found
      if (isDurable && size) return { offset: size, length: size, metadata, expiresAt: undefined }
      if (isOver) throw new UploadExpiredError()
      return { offset: offsetOf(progress), length: progress.length, metadata, expiresAt }
    },

    /** Ends an upload and removes its bytes. The recording of a complete upload stays, but the upload is known no more. */
    async remove(upload: OfSession, cause: Cause): Promise<void> {
      if (await discard(upload, { cause })) return
      // No trigger tells of it.
      cause.isNamed = false
      if (!(await forget(db, upload))) throw new UploadMissingError()
    },

    stop,
  }
}

export type TusUploads = ReturnType<typeof createTusUploads>
