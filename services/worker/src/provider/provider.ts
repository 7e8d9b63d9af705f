import { setTimeout } from 'node:timers/promises'
import { PermanentError } from '@playtherapy/jobs'

/** An OpenAI-compatible server, as the operator configured it. */
export interface Provider {
  /** What it does for us: `analyser` or `transcriber`. */
  role: string
  /** Up to and with its version, without a slash at the end. */
  url: string
  apiKey?: string
  model: string
  /** Milliseconds that one answer may take, five minutes less a little by default. */
  timeoutMs?: number
}

/** Tries of one request within a job's try; the job itself comes back later. */
const tries = 3
/** Longest wait that a server may ask for within a try, in milliseconds. */
const longestWait = 30_000
/** Bytes of an answer. */
const largestAnswer = 4 * 1024 ** 2

/** The error of an answer that no further try mends. */
export const unusable = ({ role }: Provider) => new PermanentError(`The ${role} gave no usable answer.`)

/**
 * Sends one request and answers the text that comes back. 429 and 5xx are tried again after the pause the server asks
 * for, then thrown; other refusals and endless answers are a PermanentError. A text is sent as JSON.
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
      // What is sent and the key go to the address that was configured and to no other.
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    if (response.ok) return await bounded(provider, response)
    await response.body?.cancel()
    const { status } = response
    if (status !== 429 && status < 500) throw new PermanentError(`The ${role} refused the request.`)
    const wait = waitOf(response.headers.get('retry-after')) ?? 1_000 * attempt
    if (attempt === tries || wait > longestWait) throw new Error(`the ${role} answered ${status}`)
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
    if (size > largestAnswer) throw unusable(provider)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
