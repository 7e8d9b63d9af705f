import {
  inFolder,
  ObjectMissingError,
  type ObjectStore,
  type StoredPart,
  storeUnavailable,
} from '@playtherapy/object-store'
import type { Cause, Database } from '@playtherapy/schema'
import { NotAVideoError, TooLargeError } from '../errors.ts'
import { explain, sniffBytes } from '../sniff.ts'
import { complete } from './complete.ts'
import { BeyondLengthError, ChecksumError, OtherLengthError, OtherOffsetError, UploadHeldError } from './errors.ts'
import { type Checksum, type Incoming, readIncoming } from './incoming.ts'
import type { Held } from './lease.ts'
import { offsetOf } from './repository.ts'
import type { Saving } from './saving.ts'

/** What comes in one request. */
export interface Arriving {
  /** Where it goes on; undefined to go on anywhere, without a body. */
  offset: number | undefined
  /** Bytes of the recording, if the client tells them now. */
  length?: number | undefined
  body: AsyncIterable<Uint8Array>
  /** Bytes of the body, if they are known. */
  bodyBytes: number | undefined
  checksum?: Checksum | undefined
  /** Fires when the client has disconnected. */
  signal: AbortSignal
  /** Left out by the worker. */
  cause?: Cause | undefined
}

/**
 * Begins to read what comes for an upload. Throws OtherOffsetError, OtherLengthError, BeyondLengthError and TooLargeError
 * before anything of the body is read.
 */
export function begin(
  { progress }: Held,
  { offset: from, length, body, bodyBytes = 0, checksum }: Arriving,
  limit: number,
  stop: AbortSignal,
): Incoming {
  const offset = offsetOf(progress)
  if (from !== undefined && from !== offset) throw new OtherOffsetError(offset)
  if (length !== undefined) {
    if (length < offset || (progress.length ?? length) !== length) throw new OtherLengthError()
    if (length > limit) throw new TooLargeError(limit)
  }
  const end = length ?? progress.length
  const most = (end ?? limit) - offset
  const excess = end === null ? new TooLargeError(limit) : new BeyondLengthError(end)
  if (bodyBytes > most) throw excess
  progress.length = end
  // Once there is an upload, its parts have ends, also those of a request that was cut before any part was reported.
  if (!progress.storeId) progress.requestBytes = bodyBytes || null
  const start = Buffer.from(progress.start, 'base64')
  const isComplete = (received: number) => offset + received === end
  return readIncoming(body, { start, container: progress.container, most, excess, isComplete, checksum, stop })
}

/**
 * Stores what comes, saves each part once it is durable, and completes the recording with its last byte. What came before a cut
 * is kept, unless it has a checksum: then it is kept as a whole or not at all.
 */
export async function write(
  { db, store }: { db: Database; store: ObjectStore },
  held: Held,
  incoming: Incoming,
  saving: Saving,
  { checksum, cause }: Pick<Arriving, 'checksum' | 'cause'>,
): Promise<void> {
  const { progress } = held
  const key = inFolder('video', held.path)
  const before = offsetOf(progress)
  const earlier = progress.tail
  const isWhole = () => before + incoming.received === progress.length

  function describe(): void {
    progress.container = incoming.container
    progress.start = incoming.container ? '' : incoming.start.toString('base64')
  }
  function keep(part: StoredPart): void {
    progress.partsBytes += part.size
    progress.nextPart = part.number + 1
    progress.tail = undefined
    describe()
    saving.add(part)
  }

  const first = await incoming.bytes.next()
  async function* bytes() {
    if (!first.done) yield first.value
    yield* incoming.bytes
  }
  const unverified: StoredPart[] = []
  let tail = earlier
  if (!first.done || (earlier && isWhole())) {
    progress.storeId ??= await store.beginUpload(key).catch(failStore)
    const { storeId: id, partsBytes, nextPart, requestBytes } = progress
    const begun = { id, partsBytes, nextPart, tail: earlier, requestBytes: requestBytes ?? undefined }
    const onPart = checksum ? (part: StoredPart) => unverified.push(part) : keep
    const options = { length: progress.length ?? undefined, onPart, signal: saving.lost }
    tail = await store.appendUpload(key, begun, bytes(), options).catch(failStore)
  }
  if (incoming.isIntact()) {
    if (!incoming.container && incoming.start.length >= sniffBytes) throw await explain(incoming.start)
    for (const part of unverified) keep(part)
    progress.tail = tail
    describe()
  } else {
    if (tail && tail !== earlier) await store.removeTail(key, tail, earlier).catch(() => {})
    if (!incoming.wasCut) throw new ChecksumError()
  }
  if (offsetOf(progress) === progress.length) return complete({ db, store }, held, saving, cause)
  await saving.flush(true)
  // A tail that cannot be removed now is removed with the upload.
  if (earlier && earlier !== progress.tail) await store.removeTail(key, earlier, progress.tail).catch(() => {})
}

/** Throws what the store's client threw as StoreFailedError; other errors came with the body, or end the upload. */
function failStore(error: unknown): never {
  const isOther = [TooLargeError, BeyondLengthError, NotAVideoError, UploadHeldError, ObjectMissingError].some(
    (kind) => error instanceof kind,
  )
  throw isOther ? error : storeUnavailable(error)
}
