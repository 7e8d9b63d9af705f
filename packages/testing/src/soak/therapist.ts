import { createHash, createHmac, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Place } from './place.ts'

/** One upload or save, and its outcome as far as its sender knows. */
export interface Sent {
  session: number
  /** A unique mark: the client's file name, the key of a presigned upload, or the hash of a script. */
  mark: string
  sha256: string
  started: number
  /** When the response arrived. Infinity while it has not, or if it was lost: then the server may have stored it. */
  ended: number
  acknowledged: boolean
}

/** Everything that the therapists know at the end. */
export interface Memory {
  uploads: Sent[]
  scripts: Sent[]
  /** Sessions whose deletion was requested, and whether it was acknowledged. */
  deleted: Map<number, boolean>
  /** Failed requests, by kind and status. */
  refused: Record<string, number>
}

export const emptyMemory = (): Memory => ({ uploads: [], scripts: [], deleted: new Map(), refused: {} })

const Created = Type.Object({ id: Type.Integer() })
const Presigned = Type.Object({ presigned_url: Type.String(), file_path: Type.String() })
const pick = <T>(items: readonly T[]): T => {
  const item = items[Math.floor(Math.random() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}
const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function tokenOf(userId: number, secret: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { user_id: userId, exp: Math.floor(Date.now() / 1000) + 86_400 }
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/**
 * Lets one therapist create sessions, upload in every way, save scripts and delete, until `signal` is aborted. Requests go
 * to a random process of their service and are not retried. Everything sent is recorded in `memory`.
 */
export async function work(userId: number, place: Place, clips: Uint8Array[], memory: Memory, signal: AbortSignal) {
  const authorization = `Bearer ${tokenOf(userId, place.jwtSecret)}`
  const call = async (service: keyof Place['urls'], method: string, path: string, init: RequestInit = {}) => {
    const response = await fetch(`${pick(place.urls[service])}/contents/api${path}`, {
      ...init,
      method,
      headers: { authorization, ...init.headers },
      signal: AbortSignal.timeout(60_000),
    }).catch(() => undefined)
    if (response?.ok) return response
    await response?.body?.cancel()
    const route = path.replace(/tus\/.*/, 'tus/:id').replaceAll(/\d+/g, ':id')
    const label = `${method} ${route} ${response?.status ?? 'no answer'}`
    memory.refused[label] = (memory.refused[label] ?? 0) + 1
    return undefined
  }
  const json = (value: unknown) => ({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  })
  const create = async (path: string, value: unknown) => {
    const response = await call('contents', 'POST', path, json(value))
    return response && Value.Parse(Created, await response.json()).id
  }
  const remember = async (kind: Sent[], sent: Omit<Sent, 'ended' | 'acknowledged'>, send: () => Promise<unknown>) => {
    const entry = { ...sent, ended: Number.POSITIVE_INFINITY, acknowledged: false }
    kind.push(entry)
    entry.acknowledged = Boolean(await send())
    entry.ended = Date.now()
  }

  let caseId: number | undefined
  while (!signal.aborted && caseId === undefined) {
    caseId = await create('/case', { given_name: '지우' })
    if (caseId === undefined) await sleep(500)
  }
  const pathOf = (session: number) => `/case/${caseId}/session/${session}`
  const sessions: number[] = []

  const uploadForm = (session: number) => {
    const bytes = pick(clips)
    const mark = `${randomUUID()}.mp4`
    const form = new FormData()
    form.set('file', new Blob([bytes], { type: 'video/mp4' }), mark)
    const sent = { session, mark, sha256: hash(bytes), started: Date.now() }
    return remember(memory.uploads, sent, () => call('media', 'POST', `${pathOf(session)}/video`, { body: form }))
  }
  /** Sends halves to any process, and goes on where the upload is, until a question says that it is complete. */
  const uploadTus = (session: number) => {
    const bytes = pick(clips)
    const mark = `${randomUUID()}.mp4`
    const version = { 'tus-resumable': '1.0.0' }
    const send = async () => {
      const metadata = `filename ${Buffer.from(mark).toString('base64')}`
      const created = await call('media', 'POST', `${pathOf(session)}/video/tus`, {
        headers: { ...version, 'upload-length': String(bytes.length), 'upload-metadata': metadata },
      })
      const place = created?.headers.get('location')?.replace('/contents/api', '')
      for (let left = 30; place && left > 0; left--) {
        const head = await call('media', 'HEAD', place, { headers: version })
        const offset = Number(head?.headers.get('upload-offset'))
        if (head && offset === bytes.length) return head
        const type = { 'content-type': 'application/offset+octet-stream' }
        const headers = { ...version, ...type, 'upload-offset': String(offset) }
        const body = bytes.subarray(offset, offset + Math.ceil(bytes.length / 2))
        if (!head || !(await call('media', 'PATCH', place, { headers, body }))) await sleep(500)
      }
      return undefined
    }
    const sent = { session, mark, sha256: hash(bytes), started: Date.now() }
    return remember(memory.uploads, sent, send)
  }
  const uploadPresigned = async (session: number) => {
    const answer = await call('media', 'GET', `${pathOf(session)}/video/presigned-url`)
    if (!answer) return
    const { presigned_url: url, file_path: mark } = Value.Parse(Presigned, await answer.json())
    const started = Date.now()
    const bytes = pick(clips)
    const headers = { 'content-type': 'video/mp4' }
    const put = await fetch(url, { method: 'PUT', body: bytes, headers }).catch(() => undefined)
    if (!put?.ok) return
    const data = { name: 'presigned', origin_video_url: mark }
    const sent = { session, mark, sha256: hash(bytes), started }
    await remember(memory.uploads, sent, () => call('contents', 'PUT', pathOf(session), json({ data })))
  }
  const saveScript = (session: number) => {
    const text = JSON.stringify({
      scripts: [{ speaker: 'T', text: randomUUID(), start_time: '00:00:00', end_time: '00:00:01' }],
    })
    const form = new FormData()
    form.set('script', new Blob([text], { type: 'application/json' }), 'script.json')
    const sha256 = hash(Buffer.from(text))
    const sent = { session, mark: sha256, sha256, started: Date.now() }
    return remember(memory.scripts, sent, () => call('script', 'POST', `${pathOf(session)}/script`, { body: form }))
  }
  const remove = async (session: number) => {
    sessions.splice(sessions.indexOf(session), 1)
    memory.deleted.set(session, false)
    if (await call('contents', 'DELETE', pathOf(session))) memory.deleted.set(session, true)
  }

  while (!signal.aborted) {
    const session = sessions.length > 0 ? pick(sessions) : undefined
    const dice = Math.random()
    if (session === undefined || dice < 0.15) {
      const made = await create(`/case/${caseId}/session`, { data: { name: 'soak' } })
      if (made) sessions.push(made)
    } else if (dice < 0.25) await uploadForm(session)
    else if (dice < 0.35) await uploadTus(session)
    else if (dice < 0.45) await uploadPresigned(session)
    else if (dice < 0.5) await Promise.all([uploadForm(session), uploadForm(session)])
    else if (dice < 0.52)
      await Promise.all([uploadForm(session), sleep(Math.random() * 50).then(() => remove(session))])
    else if (dice < 0.56) await remove(session)
    else await Promise.all([saveScript(session), ...(dice < 0.65 ? [saveScript(session)] : [])])
    await sleep(200 + Math.random() * 1_500)
  }
}
