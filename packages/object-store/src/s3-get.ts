import { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { type GetOptions, ObjectChangedError, ObjectMissingError } from './object-store.ts'
import { readOnDemand } from './on-demand.ts'
import { idleMs, statusOf } from './s3-client.ts'
import type { SignedReads } from './s3-signed.ts'

/**
 * Reads an object, or a part of it, by connections that are held only while bytes move, all of the same version of the
 * object. `s3` must not limit the silence of sockets.
 */
export async function getObject(
  s3: S3Client,
  signed: SignedReads,
  { Bucket, Key }: { Bucket: string; Key: string },
  options: GetOptions = {},
): Promise<Readable> {
  const { signal } = options
  const sizeOf = (length: number, contentRange = '') => Number(/\/(\d+)$/.exec(contentRange)?.[1] ?? length)
  async function open(from: number, to?: number, etag?: string) {
    const range = from > 0 || to !== undefined ? `bytes=${from}-${to ?? ''}` : undefined
    const answer = await signed.open(Key, { ...(range && { range }), ...(etag && { 'if-match': etag }) }, signal)
    const length = Number(answer?.headers['content-length'])
    if (answer?.headers.etag && length >= 0) {
      destroyWhenSilent(answer)
      return { body: answer, size: sizeOf(length, answer.headers['content-range']), etag: answer.headers.etag }
    }
    answer?.destroy()
    try {
      const { Body, ContentLength, ContentRange, ETag } = await s3.send(
        new GetObjectCommand({
          Bucket,
          Key,
          ...(range && { Range: range }),
          ...(etag && { IfMatch: etag }),
        }),
        { ...(signal && { abortSignal: signal }) },
      )
      if (!(Body instanceof IncomingMessage) || ContentLength === undefined || !ETag) {
        throw new Error('the object store gave no stream, length or ETag')
      }
      destroyWhenSilent(Body)
      return { body: Body, size: sizeOf(ContentLength, ContentRange), etag: ETag }
    } catch (error) {
      if (statusOf(error) === 404) throw new ObjectMissingError(Key)
      if (statusOf(error) === 412) throw new ObjectChangedError(Key)
      throw error
    }
  }
  return readOnDemand(open, options)
}

/** Destroys a body when nothing has come for long although there is room for more: the server has fallen silent. */
function destroyWhenSilent(body: IncomingMessage): void {
  const { socket } = body
  let seen = socket.bytesRead
  const watch = setInterval(() => {
    const wanted = body.readableLength < body.readableHighWaterMark
    if (wanted && socket.bytesRead === seen) body.destroy(new Error('the object store fell silent'))
    seen = socket.bytesRead
  }, idleMs)
  body.once('close', () => clearInterval(watch))
}
