/**
 * A therapist who means no harm, as a process of her own, so that what the attackers' side computes does not slow her
 * down. Asks what a client asks, again and again, until the parent says stop; then tells it what she saw.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from './client.ts'

/** What the parent sends first. */
export interface Errand {
  /** Address of the gateway, and of each service behind it. */
  url: string
  services: Record<'contents' | 'media' | 'script', string>
  authorization: string
  /** Path of a session that has a script and an encoded recording, and of one that recordings are uploaded to. */
  session: string
  uploads: string
  /** A small recording, in Base64. */
  clip: string
}

/** What she saw. */
export interface Experience {
  asked: number
  /** Failed requests, by kind and status; status 0 is an answer that did not come within half a minute. */
  failed: Record<string, number>
  slowestMs: number
  /** What was slowest. */
  slowest: string
  /** Failures at a moment at which the service said that it was ready. */
  untrueReady: number
  /** Longest time, in milliseconds, that her own process stood still, which hardly works: what the machine itself adds. */
  machineMs: number
}

/** Longest wait for one answer, in milliseconds. */
const patienceMs = 30_000
const pauseMs = 250
const uploadPauseMs = 3_000

const seen: Experience = { asked: 0, failed: {}, slowestMs: 0, slowest: 'nothing', untrueReady: 0, machineMs: 0 }
let stopped = false

async function ask(kind: string, service: string, wanted: number, url: string, init: () => RequestInit) {
  const started = performance.now()
  const { status } = await request(url, { ...init(), signal: AbortSignal.timeout(patienceMs) })
  const ms = Math.round(performance.now() - started)
  seen.asked++
  if (ms > seen.slowestMs) Object.assign(seen, { slowestMs: ms, slowest: kind })
  if (status === wanted) return
  const label = `${kind} ${status}`
  seen.failed[label] = (seen.failed[label] ?? 0) + 1
  const ready = await request(`${service}/health/ready`, { signal: AbortSignal.timeout(5_000) })
  if (ready.status === 200) seen.untrueReady++
}

async function work({ url, services, authorization, session, uploads, clip }: Errand): Promise<void> {
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
    repeat(uploadPauseMs, 'upload', services.media, 201, `${api}${uploads}/video`, upload),
  ])
  seen.machineMs = Math.round(delay.max / 1e6)
}

process.on('disconnect', () => process.exit())
process.on('message', (message: Errand | 'stop') => {
  if (message === 'stop') stopped = true
  else work(message).then(() => process.send?.(seen, () => process.exit()))
})
