import { once } from 'node:events'
import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { LRUCache } from 'lru-cache'
import { type GetOptions, ObjectChangedError, ObjectMissingError, StoreSilentError } from './object-store.ts'
import { readOnDemand } from './on-demand.ts'
import { attempts, type Patience } from './s3-client.ts'
import { s3Span } from './s3-span.ts'

/** For how long a signed URL is valid, and for how long it is reused. */
const [validSeconds, reusedSeconds] = [3_600, 900]
/** Longest pause before the second attempt; twice as long before the third. */
const pauseMs = 200

/** Reads objects of a bucket; `close` frees the connections. */
export interface ObjectReads {
  get(key: string, options?: GetOptions): Promise<Readable>
  close(): void
}

/**
 * Reads objects, or ranges of one version, by connections that are held only while bytes move. Signed URLs are reused,
 * because players seek often: a read of 16 KiB needs 2.5 ms of CPU through the SDK and 1.1 ms through a signed URL. `s3`
 * only signs.
 */
export function objectReads(s3: S3Client, Bucket: string, { silenceMs, asksAgain }: Patience): ObjectReads {
  const urls = new LRUCache<string, string>({ max: 1_000, ttl: reusedSeconds * 1_000 })
  // No bound on sockets: callers bound their reads, with a share for each therapist.
  const options = { keepAlive: true }
  const plain = new http.Agent(options)
  const secure = new https.Agent(options)

  /** How far the server's clock is ahead of ours. */
  let aheadMs = 0

  async function sign(Key: string): Promise<string> {
    const options = { expiresIn: validSeconds, signingDate: new Date(Date.now() + aheadMs) }
    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }), options)
    urls.set(Key, url)
    return url
  }

  /** Sends one request. Rejects with StoreSilentError when the head of the response is late. */
  async function ask(url: string, headers: OutgoingHttpHeaders, signal?: AbortSignal): Promise<IncomingMessage> {
    const request = url.startsWith('https:')
      ? https.get(url, { agent: secure, headers, ...(signal && { signal }) })
      : http.get(url, { agent: plain, headers, ...(signal && { signal }) })
    const late = setTimeout(() => request.destroy(new StoreSilentError()), silenceMs)
    try {
      return (await once(request, 'response'))[0]
    } finally {
      clearTimeout(late)
      // Later errors reach the body.
      request.on('error', () => {})
    }
  }

  /** Returns a response with status 200 or 206. Retries after a lost connection and after an error of the server. */
  async function open(Key: string, headers: OutgoingHttpHeaders, signal?: AbortSignal): Promise<IncomingMessage> {
    let url = urls.get(Key) ?? (await sign(Key))
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      const answer = await s3Span('GetObject', () => ask(url, headers, signal)).catch((error: unknown) => {
        signal?.throwIfAborted()
        if (attempt === attempts || (error instanceof StoreSilentError && !asksAgain)) throw error
      })
      if (answer?.statusCode === 200 || answer?.statusCode === 206) return answer
      if (answer) throwUnlessTemporary(answer, await codeIn(answer), Key, attempt)
      if (answer?.statusCode === 403) {
        // Our clock may be wrong, or our key was changed: a new signature may be accepted.
        aheadMs = Date.parse(answer.headers.date ?? '') - Date.now() || 0
        url = await sign(Key)
      }
      await sleep(Math.random() * pauseMs * attempt)
    }
  }

  return {
    get: (Key, options = {}) =>
      readOnDemand(async (from, to, etag) => {
        const range = from > 0 || to !== undefined ? `bytes=${from}-${to ?? ''}` : undefined
        const headers = { ...(range && { range }), ...(etag && { 'if-match': etag }) }
        const body = await open(Key, headers, options.signal)
        const length = Number(body.headers['content-length'])
        const size = Number(/\/(\d+)$/.exec(body.headers['content-range'] ?? '')?.[1] ?? length)
        if (!body.headers.etag || !(length >= 0)) {
          body.destroy()
          throw new Error('the object store gave no length or ETag')
        }
        // After another error the read continues on a new connection, if it has brought anything.
        destroyWhenSilent(body, silenceMs, asksAgain ? new Error('the object store broke off') : new StoreSilentError())
        return { body, size, etag: body.headers.etag }
      }, options),
    close() {
      plain.destroy()
      secure.destroy()
    },
  }
}

/** A refusal; `code` is the store's reason, such as SignatureDoesNotMatch. */
class RefusedError extends Error {
  override name = 'RefusedError'
  readonly code: string | undefined
  constructor(status: number, code: string | undefined) {
    super(`the object store answered ${status}`)
    this.code = code
  }
}

/** Bytes of a refusal in which its code is looked for, and longest wait for them. */
const [refusalBytes, refusalMs] = [4_096, 2_000]

/** Reads the code in the body of a refusal, then destroys it; undefined when there is none. */
async function codeIn(answer: IncomingMessage): Promise<string | undefined> {
  const late = setTimeout(() => answer.destroy(), refusalMs)
  let text = ''
  try {
    for await (const chunk of answer) {
      text += chunk
      if (text.length > refusalBytes) break
    }
  } catch {
    // What has arrived may contain the code.
  } finally {
    clearTimeout(late)
    answer.destroy()
  }
  return /<Code>([A-Za-z]{1,64})<\/Code>/.exec(text)?.[1]
}

/** Throws the error for a refusal, unless a retry may succeed. */
function throwUnlessTemporary(
  { statusCode = 0 }: IncomingMessage,
  code: string | undefined,
  Key: string,
  attempt: number,
): void {
  if (code === 'NoSuchBucket') throw new RefusedError(statusCode, code)
  if (statusCode === 404) throw new ObjectMissingError(Key)
  if (statusCode === 412) throw new ObjectChangedError(Key)
  const isTemporary = statusCode >= 500 || [403, 408, 429].includes(statusCode)
  if (!isTemporary || attempt === attempts) throw new RefusedError(statusCode, code)
}

/** How often a body is looked at in `silenceMs`. */
const looks = 4

/** Destroys a body with `error` when the server sends nothing for `silenceMs` although there is room for more. */
function destroyWhenSilent(body: IncomingMessage, silenceMs: number, error: Error): void {
  const { socket } = body
  let seen = socket.bytesRead
  let silent = 0
  const watch = setInterval(() => {
    // A reader may pause as long as it likes on a body that has arrived.
    const wanted = !body.complete && body.readableLength < body.readableHighWaterMark
    silent = wanted && socket.bytesRead === seen ? silent + 1 : 0
    if (silent === looks) body.destroy(error)
    seen = socket.bytesRead
  }, silenceMs / looks)
  body.once('close', () => clearInterval(watch))
}
