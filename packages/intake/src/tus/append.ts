import { inFolder, ObjectMissingError, type ObjectStore } from '@playtherapy/object-store'
import type { Cause, Database } from '@playtherapy/schema'
import { NotAVideoError, VideoDeletedError } from '../errors.ts'
import { deletion } from '../register-original.ts'
import {
  BeyondLengthError,
  OtherOffsetError,
  UploadExpiredError,
  UploadHeldError,
  UploadMissingError,
  UploadRefusedError,
} from './errors.ts'
import { type Held, prepareSave } from './lease.ts'
import { createQueues } from './queues.ts'
import { find, type OfSession, offsetOf, removeOpen } from './repository.ts'
import { startSaving } from './saving.ts'
import { type Arriving, begin, write } from './write.ts'

/** How a request ended. It was stopped if another one waits for the upload, or if the process closes. */
export interface Appended {
  /** Bytes that are durable; all of them only when the recording is registered. */
  offset: number
  /** When an upload that is not complete is removed. */
  expiresAt: Date | undefined
  wasStopped: boolean
}

async function* nothing() {}

/** What writes uploads: the requests of a process, or the worker that completes what they left. */
export function createAppends({ db, store, limit }: { db: Database; store: ObjectStore; limit: number }) {
  const save = prepareSave(db)
  const { takeLease, enter, giveWay, stop, stopWriter } = createQueues(db)

  /**
   * Removes an upload that is not complete, with its bytes, if `holder` still writes it or is not given. What an outage keeps
   * is removed by the orphan sweep.
   */
  async function discard(upload: OfSession, by: { holder?: string; cause?: Cause | undefined }): Promise<boolean> {
    const path = await removeOpen(db, upload, by)
    if (!path) return false
    stopWriter(upload.uploadId)
    const key = inFolder('video', path)
    await Promise.all([store.abortUploads(key), store.delete([key])]).catch(() => {})
    return true
  }

  /** What a failure of a request that wrote means for its client. */
  async function explainFailure(held: Held, error: unknown, cause: Cause | undefined): Promise<unknown> {
    const { holder } = held
    if (error instanceof NotAVideoError) {
      await discard(held, { holder, cause })
      return new UploadRefusedError(held.fileName, error)
    }
    const lacksParts = error instanceof ObjectMissingError
    if (lacksParts && (await discard(held, { holder, cause }))) return new UploadExpiredError()
    if (!lacksParts && !(error instanceof UploadHeldError)) return error
    const found = await find(db, held)
    if (found && !found.isOver) return new UploadHeldError()
    // It was deleted, or has expired. This request may have stored bytes since.
    await store.abortUploads(inFolder('video', held.path)).catch(() => {})
    if (found) return new UploadExpiredError()
    const why = await deletion(db, held.sessionId)
    return why instanceof VideoDeletedError ? new UploadRefusedError(held.fileName, why) : why
  }

  /**
   * Stores the next bytes of an upload. Throws, besides, OtherOffsetError, OtherLengthError, BeyondLengthError, TooLargeError,
   * ChecksumError, after which the upload can be continued, UploadRefusedError and SessionDeletedError.
   */
  async function append(upload: OfSession, arriving: Arriving): Promise<Appended> {
    const held = await takeLease(upload, arriving.signal)
    if (!held) {
      const { size } = (await find(db, upload)) ?? {}
      if (!size) throw new UploadMissingError()
      if ((arriving.offset ?? size) !== size) throw new OtherOffsetError(size)
      if (arriving.bodyBytes !== 0) throw new BeyondLengthError(size)
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
    const leave = enter(held.uploadId, {
      silentMs: () => incoming?.silentMs() ?? 0,
      stop: () => stopped.abort(),
    })
    try {
      incoming = begin(held, arriving, limit, stopped.signal)
      await write({ db, store }, held, incoming, saving, arriving)
      const offset = offsetOf(progress)
      const expiresAt = offset === progress.length ? undefined : held.expiresAt
      return { offset, expiresAt, wasStopped: stopped.signal.aborted }
    } catch (error) {
      const failure = await explainFailure(held, error, arriving.cause)
      // What was stored before is kept.
      await saving.flush(true).catch(() => {})
      throw failure
    } finally {
      await saving.stop()
      leave()
    }
  }

  return {
    append,

    /** Completes an upload whose process died between its last byte and the registration. */
    finish: (upload: OfSession, signal: AbortSignal, cause?: Cause) =>
      append(upload, { offset: undefined, body: nothing(), bodyBytes: 0, signal, cause }),

    discard,

    /** Ends all requests that write, so that what came is kept and another process can go on at once. */
    stop,
  }
}

/**
 * Returns a function that completes an upload of which every byte is durable, for a worker: no request does it when its client
 * does not come back. When the signal fires, it waits for no other process that writes the upload. Throws like `append`.
 */
export function createCompletion(resources: { db: Database; store: ObjectStore }) {
  // Nothing more is received.
  const { finish } = createAppends({ ...resources, limit: 0 })
  return async (upload: OfSession, signal: AbortSignal): Promise<void> => {
    await finish(upload, signal)
  }
}
