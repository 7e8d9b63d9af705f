import { once } from 'node:events'
import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { LRUCache } from 'lru-cache'

/** For how long a signed URL is good, and for how long it is used again; in seconds. */
const [validSeconds, reusedSeconds] = [3_600, 900]
/** Longest wait for the head of an answer, in milliseconds; then the client's own way is gone, with its tries. */
const answerMs = 5_000

export interface SignedReads {
  /**
   * Asks for an object with these headers. The answer when it is 200 or 206; undefined when it is anything else, or did
   * not come: then the client has to be asked, who knows what to make of it. Throws only when `signal` fires.
   */
  open(Key: string, headers: OutgoingHttpHeaders, signal?: AbortSignal): Promise<IncomingMessage | undefined>
  close(): void
}

/**
 * Reads by signed URLs that are used again, for objects that are read often: a player seeks all the time, and the
 * client's way to a request takes several times the processor that the request itself does.
 */
export function signedReads(s3: S3Client, Bucket: string): SignedReads {
  const urls = new LRUCache<string, string>({ max: 1_000, ttl: reusedSeconds * 1_000 })
  // Its callers bound how much they read at once, each person a share of it; a bound here would be taken by whoever
  // comes first.
  const options = { keepAlive: true }
  const plain = new http.Agent(options)
  const secure = new https.Agent(options)

  async function urlOf(Key: string): Promise<string> {
    const known = urls.get(Key)
    if (known) return known
    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }), { expiresIn: validSeconds })
    urls.set(Key, url)
    return url
  }

  return {
    async open(Key, headers, signal) {
      signal?.throwIfAborted()
      const url = await urlOf(Key)
      const request = url.startsWith('https:')
        ? https.get(url, { agent: secure, headers, ...(signal && { signal }) })
        : http.get(url, { agent: plain, headers, ...(signal && { signal }) })
      const late = setTimeout(() => request.destroy(), answerMs)
      try {
        const response: IncomingMessage = (await once(request, 'response'))[0]
        if (response.statusCode === 200 || response.statusCode === 206) return response
        // A clock that is wrong, a key that was changed: a new signature may do.
        urls.delete(Key)
        response.destroy()
      } catch {
        signal?.throwIfAborted()
      } finally {
        clearTimeout(late)
        // What breaks later breaks the answer.
        request.on('error', () => {})
      }
      return undefined
    },
    close() {
      plain.destroy()
      secure.destroy()
    },
  }
}
