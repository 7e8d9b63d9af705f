/**
 * The innocent therapist. She runs in a process of her own, so that the work of the attackers does not slow her down.
 * She repeats a client's requests until the parent process sends `stop`, then reports her Experience to it.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from './client.ts'

/** The first message of the parent process. */
export interface Errand {
  /** The addresses of the gateway and of each service behind it. */
  url: string
  services: Record<'contents' | 'media' | 'script', string>
  authorization: string
  /** The path of a session with a script and an encoded recording, and of a session for uploads. */
  session: string
  uploads: string
  /** The path by which she plays the recording, without a token. */
  segments: string | undefined
  /** A small recording, in Base64. */
  clip: string
}

/** The innocent therapist's report. */
export interface Experience {
  asked: number
  /** Failed requests by kind and status; status 0 means no response within half a minute. */
  failed: Record<string, number>
  slowestMs: number
  /** The kind of the slowest request. */
  slowest: string
  /** Failures while the service's /health/ready returned 200. */
  untrueReady: number
  /** The longest event loop delay of her own process, which is nearly idle: the machine's own part of all delays. */
  machineMs: number
}

/** A request fails after this time. */
const responseMs = 30_000
const pauseMs = 250
const uploadPauseMs = 3_000

const seen: Experience = { asked: 0, failed: {}, slowestMs: 0, slowest: 'nothing', untrueReady: 0, machineMs: 0 }
let stopped = false

async function ask(kind: string, service: string, wanted: number, url: string, init: () => RequestInit) {
  const started = performance.now()
  const { status } = await request(url, { ...init(), signal: AbortSignal.timeout(responseMs) })
  const ms = Math.round(performance.now() - started)
  seen.asked++
  if (ms > seen.slowestMs) Object.assign(seen, { slowestMs: ms, slowest: kind })
  if (status === wanted) return
  const label = `${kind} ${status}`
  seen.failed[label] = (seen.failed[label] ?? 0) + 1
  const ready = await request(`${service}/health/ready`, { signal: AbortSignal.timeout(5_000) })
  if (ready.status === 200) seen.untrueReady++
}

async function work({ url, services, authorization, session, uploads, segments, clip }: Errand): Promise<void> {
  const headers = { authorization }
  const api = `${url}/contents/api`
  const bytes = Buffer.from(clip, 'base64')
  const upload = () => {
    const body = new FormData()
    body.set('file', new Blob([bytes]), 'small.mp4')
    return { method: 'POST', headers, body }
  }
  const repeat = async (pause: number, ...args: Parameters<typeof ask>) => {
    while (!stopped) {
      await ask(...args)
      for (let left = pause; left > 0 && !stopped; left -= 50) await sleep(50)
    }
  }
  const range = { ...headers, range: 'bytes=0-1023' }
  const delay = monitorEventLoopDelay()
  delay.enable()
  await Promise.all([
    repeat(pauseMs, 'list', services.contents, 200, `${api}/case`, () => ({ headers })),
    repeat(pauseMs, 'script', services.script, 200, `${api}${session}/script`, () => ({ headers })),
    repeat(pauseMs, 'video', services.media, 206, `${api}${session}/video`, () => ({ headers: range })),
    ...(segments
      ? [
          repeat(pauseMs, 'segment', services.media, 206, url + segments, () => ({
            headers: { range: 'bytes=0-1023' },
          })),
        ]
      : []),
    repeat(uploadPauseMs, 'upload', services.media, 201, `${api}${uploads}/video`, upload),
  ])
  seen.machineMs = Math.round(delay.max / 1e6)
}

process.on('disconnect', () => process.exit())
process.on('message', (message: Errand | 'stop') => {
  if (message === 'stop') stopped = true
  else work(message).then(() => process.send?.(seen, () => process.exit()))
})
