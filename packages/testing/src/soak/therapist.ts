import { createHash, createHmac, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, ApiFailure, type CallOptions, createClient } from '@playtherapy/client'
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
  waits: Waits
}

/** The longest that a therapist waited, in milliseconds. */
interface Waits {
  /** For the response of one request that succeeded, by kind. */
  answered: Record<string, number>
  /** For one that failed: a refusal, a broken connection, or no response within the client's minute. By kind. */
  failed: Record<string, number>
  /** For a service: from the beginning of a request that it failed to the response of the next one that it did not, by service. */
  outage: Record<string, number>
}

export const emptyMemory = (): Memory => ({
  uploads: [],
  scripts: [],
  deleted: new Map(),
  refused: {},
  waits: { answered: {}, failed: {}, outage: {} },
})

/** Keeps the longest time since `begun`. */
function keepLongest(longest: Record<string, number>, name: string, begun: number) {
  longest[name] = Math.max(longest[name] ?? 0, Math.round(performance.now() - begun))
}

const pick = <T>(items: readonly T[]): T => {
  const item = items[Math.floor(Math.random() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}
const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A token of a therapist for a day, as a sign-in service with this secret makes it. */
export function tokenOf(userId: number, secret: string): string {
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
  const token = tokenOf(userId, place.jwtSecret)
  /** Since when each service has failed. */
  const failingSince = new Map<string, number>()
  const { answered, failed, outage } = memory.waits
  const worked = (service: string, name: string, begun: number) => {
    keepLongest(answered, name, begun)
    const since = failingSince.get(service)
    if (since !== undefined) keepLongest(outage, service, since)
    failingSince.delete(service)
  }
  const broke = (service: string, name: string, begun: number, status: number | undefined) => {
    keepLongest(failed, name, begun)
    const label = `${name} ${status ?? 'no answer'}`
    memory.refused[label] = (memory.refused[label] ?? 0) + 1
    // Others are refusals, such as of a recording that is not encoded yet.
    if (status === undefined || status >= 500) failingSince.set(service, failingSince.get(service) ?? begun)
  }
  /** Calls a random process of a service. Counts a failure by the name of the call, and returns undefined then. */
  const call = async <T>(
    service: keyof Place['urls'],
    name: string,
    send: (client: Api, options: CallOptions) => Promise<T>,
  ): Promise<T | undefined> => {
    const client = createClient({ url: pick(place.urls[service]), token })
    const begun = performance.now()
    try {
      const answer = await send(client, { signal: AbortSignal.timeout(60_000) })
      worked(service, name, begun)
      return answer
    } catch (error) {
      broke(service, name, begun, error instanceof ApiFailure ? error.status : undefined)
      return undefined
    }
  }
  const remember = async (kind: Sent[], sent: Omit<Sent, 'ended' | 'acknowledged'>, send: () => Promise<unknown>) => {
    const entry = { ...sent, ended: Number.POSITIVE_INFINITY, acknowledged: false }
    kind.push(entry)
    entry.acknowledged = Boolean(await send())
    entry.ended = Date.now()
  }

  let caseId: number | undefined
  while (!signal.aborted && caseId === undefined) {
    const body = { given_name: '지우' }
    caseId = (await call('contents', 'cases.create', ({ cases }, options) => cases.create({ body }, options)))?.id
    if (caseId === undefined) await sleep(500)
  }
  const case_id = caseId ?? 0
  const idsOf = (session_id: number) => ({ case_id, session_id })
  const sessions: number[] = []

  const uploadForm = (session: number) => {
    const bytes = pick(clips)
    const mark = `${randomUUID()}.mp4`
    const body = { file: new File([bytes], mark, { type: 'video/mp4' }) }
    const sent = { session, mark, sha256: hash(bytes), started: Date.now() }
    return remember(memory.uploads, sent, () =>
      call('media', 'videos.upload', ({ videos }, options) => videos.upload({ ...idsOf(session), body }, options)),
    )
  }
  /** Sends halves to any process, and goes on where the upload is, until a question says that it is complete. */
  const uploadTus = (session: number) => {
    const bytes = pick(clips)
    const mark = `${randomUUID()}.mp4`
    const version = { ...idsOf(session), 'tus-resumable': '1.0.0' }
    const send = async () => {
      const request = {
        ...version,
        'upload-length': String(bytes.length),
        'upload-metadata': `filename ${Buffer.from(mark).toString('base64')}`,
      }
      const created = await call('media', 'uploads.create', ({ uploads }, options) => uploads.create(request, options))
      const upload = { ...version, upload_id: created?.location.split('/').at(-1) ?? '' }
      for (let left = 30; created && left > 0; left--) {
        const head = await call('media', 'uploads.head', ({ uploads }, options) => uploads.head(upload, options))
        const offset = head?.uploadOffset ?? 0
        if (head && offset === bytes.length) return head
        const body = new Blob([bytes.slice(offset, offset + Math.ceil(bytes.length / 2))])
        const more = { ...upload, 'upload-offset': String(offset), body }
        const sent =
          head && (await call('media', 'uploads.append', ({ uploads }, options) => uploads.append(more, options)))
        if (!sent) await sleep(500)
      }
      return undefined
    }
    const sent = { session, mark, sha256: hash(bytes), started: Date.now() }
    return remember(memory.uploads, sent, send)
  }
  const uploadPresigned = async (session: number) => {
    const ids = idsOf(session)
    const answer = await call('media', 'videos.presign', ({ videos }, options) => videos.presign(ids, options))
    if (!answer) return
    const { presigned_url: url, file_path: mark } = answer
    const started = Date.now()
    const bytes = pick(clips)
    const headers = { 'content-type': 'video/mp4' }
    const begun = performance.now()
    const put = await fetch(url, { method: 'PUT', body: bytes, headers }).catch(() => undefined)
    if (!put?.ok) return broke('object store', 'presigned PUT', begun, put?.status)
    worked('object store', 'presigned PUT', begun)
    const body = { data: { name: 'presigned', origin_video_url: mark } }
    const sent = { session, mark, sha256: hash(bytes), started }
    await remember(memory.uploads, sent, () =>
      call('contents', 'sessions.replace', ({ sessions }, options) => sessions.replace({ ...ids, body }, options)),
    )
  }
  const saveScript = (session: number) => {
    const text = JSON.stringify({
      scripts: [{ speaker: 'T', text: randomUUID(), start_time: '00:00:00', end_time: '00:00:01' }],
    })
    const body = { script: new File([text], 'script.json', { type: 'application/json' }) }
    const sha256 = hash(Buffer.from(text))
    const sent = { session, mark: sha256, sha256, started: Date.now() }
    return remember(memory.scripts, sent, () =>
      call('script', 'scripts.save', ({ scripts }, options) => scripts.save({ ...idsOf(session), body }, options)),
    )
  }
  const remove = async (session: number) => {
    sessions.splice(sessions.indexOf(session), 1)
    memory.deleted.set(session, false)
    const ids = idsOf(session)
    const isDeleted = await call('contents', 'sessions.delete', ({ sessions }, options) =>
      sessions.delete(ids, options),
    )
    if (isDeleted) memory.deleted.set(session, true)
  }

  const read = (session: number) => {
    const ids = idsOf(session)
    const wholeVideo = async ({ videos }: Api, options: CallOptions) => (await videos.get(ids, options)).arrayBuffer()
    return pick([
      () => call('contents', 'sessions.list', ({ sessions }, options) => sessions.list({ case_id }, options)),
      () => call('contents', 'sessions.get', ({ sessions }, options) => sessions.get(ids, options)),
      () => call('script', 'scripts.get', ({ scripts }, options) => scripts.get(ids, options)),
      () => call('media', 'videos.get', wholeVideo),
    ])()
  }

  while (!signal.aborted) {
    const session = sessions.length > 0 ? pick(sessions) : undefined
    const dice = Math.random()
    if (session !== undefined) await read(session)
    if (session === undefined || dice < 0.15) {
      const body = { data: { name: 'soak' } }
      const made = await call('contents', 'sessions.create', (client, options) =>
        client.sessions.create({ case_id, body }, options),
      )
      if (made) sessions.push(made.id)
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
