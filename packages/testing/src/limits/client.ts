import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

/** A request is aborted after this time. */
const responseMs = 60_000

/** A complete response; its status is 0 if none arrived in time. */
export interface Answer {
  status: number
  headers: Headers
  body: Buffer
}

/** A request whose bytes the caller writes to the socket itself. */
export interface RawRequest {
  socket: Socket
  /** Returns the status of the response; 0 until it was read. */
  status(): number
  isOpen(): boolean
}

/** A client with a valid token. Paths are relative to `/contents/api`. */
export interface Therapist {
  userId: number
  authorization: string
  send(method: string, path: string, init?: RequestInit): Promise<Answer>
  sendJson(method: string, path: string, value: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Sends one file as multipart/form-data. */
  sendFile(path: string, field: 'file' | 'script', bytes: Uint8Array | string): Promise<Answer>
  /** Opens a request of this therapist; see openRequest. */
  open(method: string, path: string, headers?: Record<string, string | number>): RawRequest
  /** Creates a case and returns its path. */
  newCase(description?: object): Promise<string>
  /** Creates a session, in a new case by default, and returns its path. */
  newSession(casePath?: string): Promise<string>
}

const Created = Type.Object({ id: Type.Integer() })

export const parse = (answer: Answer): unknown => JSON.parse(answer.body.toString())

/** A valid token with these claims, which ends in a day. */
export function tokenOf(claims: object, secret: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) + 86_400
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ exp, ...claims })}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Sends a request and returns the complete response. Never rejects; see Answer. */
export async function request(url: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(responseMs), ...init })
    return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) }
  } catch {
    return { status: 0, headers: new Headers(), body: Buffer.alloc(0) }
  }
}

/**
 * Opens a connection, which ends with the response, and sends the head of a request. The response is read and discarded, except for
 * its status.
 */
export function openRequest(method: string, url: string, headers: Record<string, string | number>): RawRequest {
  const { hostname, port, host, pathname, search } = new URL(url)
  const socket = connect(Number(port), hostname)
  let status = 0
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    status ||= Number(/^HTTP\/1.1 (\d+)/.exec(bytes.toString('latin1'))?.[1] ?? 0)
  })
  const lines = Object.entries({ host, connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return { socket, status: () => status, isOpen: () => !socket.destroyed && !socket.readableEnded }
}

/**
 * Sends the head of a request exactly as it is given, unlike `fetch`, which normalises paths and refuses many headers.
 * Returns the response without what HTTP says about its body; its status is 0 if none arrived before the connection closed.
 */
export async function exchange(url: string, head: string): Promise<Answer> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setTimeout(responseMs, () => socket.destroy())
  const received: Buffer[] = []
  socket.on('data', (bytes) => received.push(bytes))
  socket.on('error', () => {})
  socket.write(head)
  await once(socket, 'close')
  const sent = Buffer.concat(received)
  // An interim response comes before the one that counts.
  const all = /^HTTP\/1\.1 1/.test(sent.subarray(0, 10).toString()) ? sent.subarray(sent.indexOf('\r\n\r\n') + 4) : sent
  const end = all.indexOf('\r\n\r\n')
  const [first = '', ...lines] = all.subarray(0, Math.max(end, 0)).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(first)?.[1] ?? 0)
  const headers = new Headers()
  for (const line of lines) headers.append(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim())
  return { status, headers, body: all.subarray(end + 4) }
}

/** Returns a therapist who uses the backend at this address. */
export function createTherapist(url: string, userId: number, secret: string): Therapist {
  const authorization = `Bearer ${tokenOf({ user_id: userId }, secret)}`
  const send: Therapist['send'] = (method, path, init = {}) =>
    request(`${url}/contents/api${path}`, { ...init, method, headers: { authorization, ...init.headers } })
  const sendJson: Therapist['sendJson'] = (method, path, value, headers) =>
    send(method, path, { body: JSON.stringify(value), headers: { 'content-type': 'application/json', ...headers } })
  const create = async (path: string, value: unknown) => {
    const answer = await sendJson('POST', path, value)
    if (answer.status !== 200) throw new Error(`POST ${path} returned ${answer.status} ${answer.body}`)
    return Value.Parse(Created, parse(answer)).id
  }
  const newCase: Therapist['newCase'] = async (description) =>
    `/case/${await create('/case', { given_name: '지우', description: description ?? null })}`
  return {
    userId,
    authorization,
    send,
    sendJson,
    sendFile(path, field, bytes) {
      const form = new FormData()
      form.set(field, new Blob([bytes]), field === 'file' ? 'recording.mp4' : 'script.json')
      return send('POST', path, { body: form })
    },
    open: (method, path, headers = {}) =>
      openRequest(method, `${url}/contents/api${path}`, { authorization, ...headers }),
    newCase,
    newSession: async (casePath) => {
      const path = `${casePath ?? (await newCase())}/session`
      return `${path}/${await create(path, { data: { name: 'session' } })}`
    },
  }
}
