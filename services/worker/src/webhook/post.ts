import { once } from 'node:events'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Webhook } from 'standardwebhooks'
import { AddressError, allowedAddresses, guardedLookup, isAllowedHost } from './address.ts'

/** The receiver of webhooks, as the operator configured it. */
export interface Receiver {
  url: URL
  /** Each signs every message, as `whsec_…`. */
  secrets: string[]
  /** Internal addresses, or ranges of them, that may be connected to. */
  internalAddresses: string[]
  /** Longest time of one attempt, from the lookup to the end of the response; 15 s by default. */
  attemptMs?: number
  /** Addresses of name servers; those of the system by default. */
  nameServers?: string[]
}

/** A message, and the id and body that it has in each attempt. */
export interface Message {
  id: string
  body: string
}

/** What the receiver has answered. */
export interface Answer {
  status: number
  /** The pause that it asks for, if it does. */
  retryAfterMs: number | undefined
}

/** Most bytes of a response that are read. They have no meaning, but some receivers want them to be taken. */
const responseBytes = 16_384
const defaultAttemptMs = 15_000
/**
 * Longest wait for a connection to one address before the next one is tried. Node's own, 250 ms, is less than a connection to
 * another continent takes, and then each of several addresses would fail.
 */
const addressMs = 3_000

/**
 * Sends a message once, on a connection of its own, and returns the answer. Neither redirects nor a proxy of the environment are
 * followed. Plain HTTP is sent to named internal addresses only. Rejects when there is no answer in time.
 */
export async function post(receiver: Receiver, { id, body }: Message, signal: AbortSignal): Promise<Answer> {
  const { url, secrets, internalAddresses, attemptMs = defaultAttemptMs, nameServers } = receiver
  const isAllowed = allowedAddresses(internalAddresses, url.protocol === 'http:')
  if (!isAllowedHost(url.hostname, isAllowed)) throw new AddressError()
  const now = new Date()
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'user-agent': 'playtherapy-webhooks',
    'webhook-id': id,
    'webhook-timestamp': Math.floor(now.getTime() / 1_000),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, now, body)).join(' '),
  }
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(attemptMs)])
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const options = {
    method: 'POST',
    headers,
    agent: false,
    lookup: guardedLookup(isAllowed, nameServers),
    autoSelectFamilyAttemptTimeout: addressMs,
    signal: inTime,
  }
  const request = send(url, options)
  // The connection is closed in any case, and what goes wrong with it afterwards has no meaning.
  request.on('error', () => {})
  try {
    const answered = once(request, 'response', { signal: inTime })
    request.end(body)
    const [response]: IncomingMessage[] = await answered
    if (!response) throw new Error('there is no response')
    // What goes wrong with the body after it was read as far as it is has no meaning.
    response.on('error', () => {})
    await drain(response)
    return { status: response.statusCode ?? 0, retryAfterMs: pauseOf(response.headers['retry-after']) }
  } finally {
    request.destroy()
  }
}

/** Reads a response, but no more than `responseBytes`. The status says all, so a body that breaks off is no failure. */
async function drain(response: IncomingMessage): Promise<void> {
  let size = 0
  try {
    for await (const chunk of response) {
      size += chunk.length
      if (size > responseBytes) break
    }
  } catch {
    // The time is over, or the receiver has closed the connection.
  }
}

/** Milliseconds of a `Retry-After`, in seconds or as a date. */
function pauseOf(header: string | undefined): number | undefined {
  if (!header) return undefined
  const pause = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isNaN(pause) ? undefined : Math.max(0, pause)
}
