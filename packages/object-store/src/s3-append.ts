import { randomUUID } from 'node:crypto'
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, type S3Client } from '@aws-sdk/client-s3'
import { abortable } from './abortable.ts'
import { tailKey } from './keys.ts'
import { type AppendOptions, type Begun, ObjectMissingError, type ObjectStore, type Tail } from './object-store.ts'
import { type PartPool, partBytes, partsOf } from './s3-parts.ts'
import { conclude, etagOfParts, sendPart } from './s3-put.ts'
import { findObject } from './s3-uploads.ts'

interface Bucket {
  s3: S3Client
  bucket: string
  pool: PartPool
  put: ObjectStore['put']
  get: ObjectStore['get']
  remove: ObjectStore['delete']
}

type Appends = Pick<ObjectStore, 'beginUpload' | 'appendUpload' | 'removeTail' | 'finishUpload'>

const contentType = 'video/mp4'
/** An object that is stored in several calls has a key that nothing else uses, so any attempt at it is the same one. */
const about = { ContentType: contentType, Metadata: { attempt: 'in several calls' } }

const unlessLost = (error: unknown): never => {
  // A part of a request that stalled came after the same part of a later one. Encrypted by KMS, equal parts have different ETags.
  const isLost = error instanceof Error && ['NoSuchUpload', 'InvalidPart'].includes(error.name)
  if (isLost) throw new ObjectMissingError('the upload was aborted, or a part was replaced', { cause: error })
  throw error
}

/** An object with some of the bytes of a tail. */
interface Piece {
  name: string
  size: number
}

const sizeOf = (pieces: Piece[]) => pieces.reduce((sum, { size }) => sum + size, 0)

/**
 * The name of a tail lists its pieces, in their order, as `name:size,name:size`. A single one is only named, as in the release before
 * this one, whose processes read it during an upgrade.
 */
const tailOf = (pieces: Piece[]): Tail => ({
  name: pieces.map(({ name, size }) => (pieces.length === 1 ? name : `${name}:${size}`)).join(','),
  size: sizeOf(pieces),
})

/** The pieces of a tail. Throws unless their sizes are those of its bytes: a wrong one would let a part have bytes of other uploads. */
function piecesOf(tail: Tail | undefined): Piece[] {
  if (!tail) return []
  const pieces = tail.name.split(',').map((text) => {
    const [name = '', size = tail.size] = text.split(':')
    return { name, size: Number(size) }
  })
  const areRight = pieces.every(({ name, size }) => name && Number.isSafeInteger(size) && size > 0)
  if (!areRight || sizeOf(pieces) !== tail.size) throw new Error('the name of a tail does not list its bytes')
  return pieces
}

/**
 * The pieces that stay when bytes follow them: each has at least twice the size of the next one. So a tail has 23 pieces at most, and
 * a byte is written again only into a piece that is half as large again, however small the calls are.
 */
function piecesBefore(bytes: number, pieces: Piece[]): Piece[] {
  const last = pieces.at(-1)
  return last && last.size < 2 * bytes ? piecesBefore(bytes + last.size, pieces.slice(0, -1)) : pieces
}

/**
 * Objects that are stored in several calls, each a multipart upload. S3 has no parts below 5 MiB but the last one, so a call
 * that ends before leaves a tail, in objects of its own, with which the next part begins. So parts end at the same
 * places however a body is cut: a call that was thought dead, or whose parts were never reported, sent what the next call
 * sends again under the same numbers. Ceph 16 refuses to join an upload that has any other part.
 */
export function bucketAppends({ s3, bucket, pool, put, get, remove }: Bucket): Appends {
  const placeOf = (Key: string) => ({ Bucket: bucket, Key })

  async function append(key: string, begun: Begun, body: AsyncIterable<Uint8Array>, options: AppendOptions) {
    const { length, onPart } = options
    const sizeOfPart = (number: number) => partBytes(number, begun.requestBytes)
    let pieces = piecesOf(begun.tail)
    const buffers = pool.open()
    const stop = new AbortController()
    const signal = AbortSignal.any([options.signal, stop.signal])
    const first = { number: begun.nextPart, room: sizeOf(pieces), sizeOfPart }
    const parts = partsOf(abortable(body, options.signal), buffers, first)
    const sending: Promise<unknown>[] = []
    let reported = Promise.resolve()
    let number = begun.nextPart
    let end = begun.partsBytes
    let rest: Uint8Array | undefined
    /**
     * Reads pieces of the tail into the room that was left for them. Throws unless they fill it: what an earlier upload left in this
     * buffer must not be stored.
     */
    const read = async (from: Piece[], part: Uint8Array, start: number) => {
      let at = start
      for (const { name, size } of from) {
        const to = at + size
        for await (const chunk of await get(tailKey(key, name), { signal })) {
          if (chunk.length > to - at) throw new Error('a piece of a tail has more bytes than it should have')
          part.set(chunk, at)
          at += chunk.length
        }
        if (at < to) throw new Error('a piece of a tail has fewer bytes than it should have')
      }
    }
    const begin = (part: Uint8Array) => {
      const sent = sendPart({ s3, place: placeOf(key), signal }, begun.id, number++, part)
      sending.push(sent)
      // The error is thrown where the parts are awaited; until then no more of the body is read.
      sent.then(() => buffers.give(part), buffers.fail)
      reported = Promise.all([sent, reported]).then(([{ PartNumber, ETag = '', bytes: size }]) =>
        onPart({ number: PartNumber, size, etag: ETag }),
      )
      reported.catch(() => {})
    }
    /** Stores what does not fill a part, with the pieces that are too small to stay. */
    const leave = async (part: Uint8Array): Promise<Tail> => {
      const bytes = part.length - sizeOf(pieces)
      const kept = bytes > 0 ? piecesBefore(bytes, pieces) : pieces
      const start = sizeOf(kept)
      if (start === part.length) return tailOf(kept)
      await read(pieces.slice(kept.length), part, start)
      const piece = { name: randomUUID(), size: part.length - start }
      await put(tailKey(key, piece.name), part.subarray(start), { contentType, signal })
      return tailOf([...kept, piece])
    }
    try {
      for await (const part of parts) {
        end += part.length
        if (part.length < sizeOfPart(number) && end !== length) {
          rest = part
          continue
        }
        await read(pieces, part, 0)
        pieces = []
        begin(part)
      }
      const tail = rest && leave(rest)
      if (tail) sending.push(tail)
      const [left] = await Promise.all([tail, reported])
      if (rest) buffers.give(rest)
      return left
    } catch (error) {
      stop.abort()
      await Promise.allSettled([...sending, reported])
      throw options.signal.aborted ? options.signal.reason : error
    } finally {
      await parts.return(undefined)
      buffers.end()
    }
  }

  return {
    async beginUpload(key) {
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...placeOf(key), ...about }))
      if (!UploadId) throw new Error('the object store gave no upload id')
      return UploadId
    },

    appendUpload: (...asked) => append(...asked).catch(unlessLost),

    async removeTail(key, tail, kept) {
      const names = new Set(piecesOf(kept).map(({ name }) => name))
      const unused = piecesOf(tail).filter(({ name }) => !names.has(name))
      await remove(unused.map(({ name }) => tailKey(key, name)))
    },

    async finishUpload(key, id, parts) {
      const place = placeOf(key)
      const made = await findObject(s3, bucket, key)
      if (made) return made
      const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }))
      const request = new CompleteMultipartUploadCommand({ ...place, UploadId: id, MultipartUpload: { Parts } })
      const target = { s3, pool, place, remove: () => remove([key]), about: { ...place, ...about }, signal: undefined }
      const etag = await conclude(target, () => s3.send(request), etagOfParts(Parts)).catch(unlessLost)
      return { size: parts.reduce((sum, { size }) => sum + size, 0), etag }
    },
  }
}
