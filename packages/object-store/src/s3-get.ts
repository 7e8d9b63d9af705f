import { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { destroyOnAbort } from './abortable.ts'
import { type GetOptions, ObjectChangedError, ObjectMissingError } from './object-store.ts'
import { idleMs, statusOf } from './s3-client.ts'
import type { SignedReads } from './s3-signed.ts'

/**
 * Reads an object, or a part of it. A reader may pause for longer than servers keep a connection on which nothing moves
 * (a slow encode does, a paused player does), so a connection that breaks after it brought something is replaced, and
 * reading goes on where it stopped, in the same version of the object. `s3` must not limit the silence of sockets.
 */
export async function getObject(
  s3: S3Client,
  signed: SignedReads,
  { Bucket, Key }: { Bucket: string; Key: string },
  { start = 0, end, ifMatch, signal }: GetOptions = {},
): Promise<Readable> {
  async function open(from: number, etag?: string) {
    const range = from > 0 || end !== undefined ? `bytes=${from}-${end ?? ''}` : undefined
    const answer = await signed.open(Key, { ...(range && { range }), ...(etag && { 'if-match': etag }) }, signal)
    const length = Number(answer?.headers['content-length'])
    if (answer?.headers.etag && length >= 0) {
      destroyWhenSilent(answer)
      return { body: answer, length, etag: answer.headers.etag }
    }
    answer?.destroy()
    try {
      const { Body, ContentLength, ETag } = await s3.send(
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
      return { body: Body, length: ContentLength, etag: ETag }
    } catch (error) {
      if (statusOf(error) === 404) throw new ObjectMissingError(Key)
      if (statusOf(error) === 412) throw new ObjectChangedError(Key)
      throw error
    }
  }

  const first = await open(start, ifMatch)
  let { body } = first
  async function* bytes() {
    for (let done = 0; ; ) {
      const before = done
      try {
        for await (const chunk of body) {
          done += chunk.length
          yield chunk
        }
      } catch (error) {
        if (stream.destroyed || done === before) throw error
      }
      if (done === first.length) return
      if (done === before) throw new Error('the object store broke off')
      body = (await open(start + done, first.etag)).body
      if (stream.destroyed) body.destroy()
    }
  }
  const stream = Readable.from(bytes(), { objectMode: false, highWaterMark: 64 * 1024 })
  stream.once('close', () => body.destroy())
  destroyOnAbort(stream, signal)
  return stream
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
