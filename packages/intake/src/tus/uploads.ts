import { randomUUID } from 'node:crypto'
import { inFolder, ObjectMissingError, originalPath } from '@playtherapy/object-store'
import { tusUploads } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { EmptyError, NotAVideoError, TooLargeError, VideoDeletedError } from '../errors.ts'
import type { IntakeResources } from '../receive-original.ts'
import { deletion } from '../register-original.ts'
import { nextVideo, reserveVideo } from '../reserve-video.ts'
import {
  OtherOffsetError,
  TooManyUploadsError,
  UploadExpiredError,
  UploadHeldError,
  UploadMissingError,
  UploadRefusedError,
} from './errors.ts'
import { createHolding } from './holding.ts'
import { countOpen, find, forget, type Held, type OfSession, offsetOf, prepareSave, removeOpen } from './repository.ts'
import { startSaving } from './saving.ts'
import { type Arriving, begin, write } from './write.ts'

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
  /** The client's name for the file; it is stored and never becomes part of a key. */
  fileName: string
  /** Bytes of the recording; undefined if the client will tell later. */
  length: number | undefined
  /** The header `Upload-Metadata`, as it was sent. */
  metadata: string | undefined
}

export interface UploadStatus {
  /** Bytes that are durable; all of them only when the recording is registered. */
  offset: number
  length: number | null
  metadata: string | null
  /** When an upload that is not complete is removed. */
  expiresAt: Date | undefined
}

/** How a request ended. It was stopped if another one waits for the upload, or if the process closes. */
export type Appended = Pick<UploadStatus, 'offset' | 'expiresAt'> & { wasStopped: boolean }

async function* nothing() {}

/**
 * Uploads that may come in several requests, at any process (tus 1.0): what came before a cut is kept, and the last byte is
 * answered when the recording is registered. The state is in the database and the store. Methods that name an upload throw
 * UploadMissingError, UploadExpiredError, UploadHeldError, StoreFailedError.
 */
export function createTusUploads({ db, store, phase, limit, expirySeconds }: TusOptions) {
  const save = prepareSave(db)
  const { hold, writers, giveWay } = createHolding(db)

  /**
   * Removes an upload that is not complete, with its bytes, if `holder` still writes it or is not given. What an outage keeps
   * is removed by the orphan sweep.
   */
  async function discard(upload: OfSession, holder?: string): Promise<boolean> {
    const path = await removeOpen(db, upload, holder)
    if (!path) return false
    writers.get(upload.uploadId)?.stop()
    const key = inFolder('video', path)
    await Promise.all([store.abortUploads(key), store.delete([key])]).catch(() => {})
    return true
  }

  /** What a failure of a request that wrote means for its client. */
  async function explainFailure(held: Held, error: unknown): Promise<unknown> {
    if (error instanceof NotAVideoError) {
      await discard(held, held.holder)
      return new UploadRefusedError(held.fileName, error)
    }
    const lacksParts = error instanceof ObjectMissingError
    if (lacksParts && (await discard(held, held.holder))) return new UploadExpiredError()
    if (!lacksParts && !(error instanceof UploadHeldError)) return error
    if (await find(db, held)) return new UploadHeldError()
    // It was deleted. This request may have stored bytes since.
    await store.abortUploads(inFolder('video', held.path)).catch(() => {})
    const why = await deletion(db, held.sessionId)
    return why instanceof VideoDeletedError ? new UploadRefusedError(held.fileName, why) : why
  }

  /**
   * Stores the next bytes of an upload. Throws, besides, OtherOffsetError, OtherLengthError, TooLargeError,
   * ChecksumError, after which the upload can be continued, UploadRefusedError and SessionDeletedError.
   */
  async function append(upload: OfSession, arriving: Arriving): Promise<Appended> {
    const held = await hold(upload, arriving.signal)
    if (!held) {
      const { size } = (await find(db, upload)) ?? {}
      if (!size) throw new UploadMissingError()
      if ((arriving.offset ?? size) !== size) throw new OtherOffsetError(size)
      if (arriving.bodyBytes !== 0) throw new TooLargeError(size)
      return { offset: size, expiresAt: undefined, wasStopped: false }
    }
    const { progress } = held
    const before = offsetOf(progress)
    const stopped = new AbortController()
    let incoming: ReturnType<typeof begin> | undefined
    const saving = startSaving(db, save, held, {
      received: () => before + (incoming?.received ?? 0),
      onWanted: () => giveWay(held.uploadId),
    })
    const writer = { silentMs: () => incoming?.silentMs() ?? 0, stop: () => stopped.abort() }
    writers.set(held.uploadId, writer)
    try {
      incoming = begin(held, arriving, limit, stopped.signal)
      await write({ db, store }, held, incoming, saving, arriving)
      const offset = offsetOf(progress)
      const expiresAt = offset === progress.length ? undefined : held.expiresAt
      return { offset, expiresAt, wasStopped: stopped.signal.aborted }
    } catch (error) {
      const failure = await explainFailure(held, error)
      // What was stored before is kept.
      await saving.flush(true).catch(() => {})
      throw failure
    } finally {
      await saving.stop()
      if (writers.get(held.uploadId) === writer) writers.delete(held.uploadId)
    }
  }

  return {
    append,

    /**
     * Begins an upload, as the newest recording of its session. Throws EmptyError, TooLargeError, TooManyUploadsError,
     * SessionDeletedError, and StoreFailedError when the store is down.
     */
    async create({ caseId, sessionId, userId, fileName, length, metadata }: NewUpload) {
      if (length === 0) throw new EmptyError()
      if (length !== undefined && length > limit) throw new TooLargeError(limit)
      const pathOf = (videoId: number) => originalPath(phase, caseId, sessionId, videoId)
      const video = await nextVideo({ db, store }, pathOf)
      const expiry = sql`now() + make_interval(secs => ${expirySeconds})`
      return db.transaction(async (tx) => {
        if ((await countOpen(tx, userId)) >= mostOpen) throw new TooManyUploadsError(mostOpen)
        await reserveVideo(tx, video, { sessionId, state: 'receiving', fileName, leaseUntil: expiry })
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
    async status(upload: OfSession, signal: AbortSignal, requestId: string): Promise<UploadStatus> {
      const read = async () => {
        const found = await find(db, upload)
        if (!found) throw new UploadMissingError()
        return found
      }
      let found = await read()
      const isWhole = offsetOf(found.progress) === found.progress.length
      if (!found.isDurable && (!found.isFree || isWhole)) {
        await append(upload, { offset: undefined, body: nothing(), bodyBytes: 0, signal, requestId })
        found = await read()
      }
      const { isDurable, isOver, size, metadata, progress, expiresAt } = found
      if (isDurable && size) return { offset: size, length: size, metadata, expiresAt: undefined }
      if (isOver) throw new UploadExpiredError()
      return { offset: offsetOf(progress), length: progress.length, metadata, expiresAt }
    },

    /** Ends an upload and removes its bytes. The recording of a complete upload stays, but the upload is known no more. */
    async remove(upload: OfSession): Promise<void> {
      if (!(await discard(upload)) && !(await forget(db, upload))) throw new UploadMissingError()
    },

    /** Ends all requests that write, so that what came is kept and another process can go on at once. */
    stop(): void {
      for (const writer of writers.values()) writer.stop()
    },
  }
}

export type TusUploads = ReturnType<typeof createTusUploads>
