import { setTimeout } from 'node:timers/promises'
import { PermanentError } from '@playtherapy/jobs'

/** An OpenAI-compatible server, as the operator configured it. */
export interface Provider {
  /** Its name in error messages: `analyser` or `transcriber`. */
  role: string
  /** Base URL with the version of its API, without a slash at the end. */
  url: string
  apiKey?: string
  model: string
  /** Longest time of one request; a little less than five minutes by default. */
  timeoutMs?: number
}

/** Most requests within one attempt of a job; the job itself has later attempts. */
const mostRequests = 3
/** Longest pause that a server may ask for within an attempt. */
const longestPauseMs = 30_000
/** Most bytes of a response. */
const responseBytes = 4 * 1024 ** 2

/** The error for a second unusable response. */
export const unusable = ({ role }: Provider) =>
  new PermanentError(`The ${role} gave no usable answer.`, { fault: 'ours' })

/**
 * Sends one request and returns the text of the response. A string is sent as JSON. After 429 and 5xx it retries, with the
 * pause that the server asks for, and throws at the third such response. Throws PermanentError for other refusals and for
 * responses that are too large.
 */
export async function post(
  provider: Provider,
  path: string,
  body: string | FormData,
  signal: AbortSignal,
): Promise<string> {
  const { role, url, apiKey, timeoutMs = 280_000 } = provider
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: {
        ...(typeof body === 'string' && { 'content-type': 'application/json' }),
        ...(apiKey && { authorization: `Bearer ${apiKey}` }),
      },
      body,
      // Content and key must be sent to the configured address only.
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    if (response.ok) return await bounded(provider, response)
    await response.body?.cancel()
    const { status } = response
    if (status !== 429 && status < 500) throw new PermanentError(`The ${role} refused the request.`, { fault: 'ours' })
    const wait = waitOf(response.headers.get('retry-after')) ?? 1_000 * attempt
    if (attempt === mostRequests || wait > longestPauseMs) throw new Error(`the ${role} answered ${status}`)
    await setTimeout(wait, undefined, { signal })
  }
}

/** Milliseconds of a Retry-After, in seconds or as a date. */
function waitOf(header: string | null): number | undefined {
  if (!header) return undefined
  const wait = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}

async function bounded(provider: Provider, response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > responseBytes) throw unusable(provider)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
