/** The backend as its clients see it: everything goes through the gateway's address. */
import { createHmac } from 'node:crypto'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

export const origin = 'http://localhost:3000'

/** Where a session is, and whose. */
export interface Session {
  path: string
  token: string
}

/** What an upload sends: pieces one after the other, and how many bytes they are. */
export interface Recording {
  bytes: number
  pieces: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

export function createClient(address: string, jwtSecret: string) {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const mint = (claims: object) => {
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp: Math.floor(Date.now() / 1000) + 86_400, ...claims })}`
    return `${text}.${createHmac('sha256', jwtSecret).update(text).digest('base64url')}`
  }

  const call = (method: string, path: string, token: string, body?: BodyInit | object) => {
    const isForm = body instanceof FormData
    return fetch(`${address}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && !isForm && { 'content-type': 'application/json' }) },
      ...(body && { body: isForm ? body : JSON.stringify(body) }),
    })
  }
  /** The answer's JSON; throws when its status is not the one asked for. */
  async function ask(status: number, method: string, path: string, token: string, body?: BodyInit | object) {
    const answer = await call(method, path, token, body)
    const text = await answer.text()
    if (answer.status !== status) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`)
    const json: unknown = JSON.parse(text)
    return json
  }

  return {
    address,
    mint,
    call,
    ask,

    async createSession(userId: number): Promise<Session> {
      const token = mint({ user_id: userId })
      const made = await ask(200, 'POST', '/contents/api/case', token, { given_name: '지우', family_name: '김' })
      const sessions = `/contents/api/case/${field(made, 'id')}/session`
      const session = await ask(200, 'POST', sessions, token, { data: { name: 'First meeting' } })
      return { path: `${sessions}/${field(session, 'id')}`, token }
    },

    /** A multipart upload. Answers the status and body; rejects when the connection breaks. */
    async upload({ path, token }: Session, recording: Recording): Promise<{ status: number; text: string }> {
      const boundary = 'playtherapy-compose-proof'
      const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.mp4"\r\ncontent-type: video/mp4\r\n\r\n`
      const tail = `\r\n--${boundary}--\r\n`
      async function* body() {
        yield Buffer.from(head)
        yield* recording.pieces()
        yield Buffer.from(tail)
      }
      return send(`${address}${path}/video`, 'POST', body(), {
        authorization: `Bearer ${token}`,
        'content-type': `multipart/form-data; boundary=${boundary}`,
        'content-length': String(head.length + recording.bytes + tail.length),
      })
    },

    put: (url: string, recording: Recording) =>
      send(url, 'PUT', recording.pieces(), {
        'content-type': 'video/mp4',
        'content-length': String(recording.bytes),
        origin,
      }),

    /** Waits until the newest video of a session is encoded. Throws when it fails, or takes longer than the seconds. */
    async encoded({ path, token }: Session, seconds: number): Promise<void> {
      for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(500)) {
        const answer = await call('GET', `${path}/video/state`, token).catch(() => undefined)
        if (answer?.status !== 200) continue
        const state: unknown = await answer.json()
        if (field(state, 'state') === 'encoded') return
        if (field(state, 'state') === 'failed') throw new Error(`encode failed: ${JSON.stringify(state)}`)
      }
      throw new Error(`not encoded within ${seconds} s: ${path}`)
    },

    /** The rendition's bytes. */
    async play({ path, token }: Session): Promise<Buffer> {
      const answer = await call('GET', `${path}/video`, token)
      if (answer.status !== 200) throw new Error(`playback answered ${answer.status}: ${await answer.text()}`)
      return Buffer.from(await answer.arrayBuffer())
    },
  }
}

export type Client = ReturnType<typeof createClient>

/** One field of an answer. */
export function field(answer: unknown, name: string): unknown {
  if (typeof answer !== 'object' || answer === null) throw new Error(`no object: ${JSON.stringify(answer)}`)
  return Object.entries(answer).find(([key]) => key === name)?.[1]
}

/** Sends a body of known length, and reads the answer even when it comes before the body has gone. */
async function send(
  url: string,
  method: string,
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  headers: Record<string, string>,
): Promise<{ status: number; text: string }> {
  const outgoing = request(url, { method, headers, agent: false })
  const answered = new Promise<{ status: number; text: string }>((resolve, reject) => {
    outgoing.once('error', reject)
    outgoing.once('response', (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.once('error', reject)
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
    })
  })
  const sent = pipeline(Readable.from(body), outgoing)
  try {
    return await answered
  } finally {
    outgoing.destroy()
    await sent.catch(() => {})
  }
}
