import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { progressBar } from './terminal.ts'

/** How long the encode of the clip may take. */
const encodeMs = 180_000

const VideoState = Type.Object({
  state: Type.String(),
  progress: Type.Integer(),
  playable: Type.Boolean(),
  failure: Type.Union([Type.String(), Type.Null()]),
})

/** Requests as the client sends them. Every refusal is thrown. */
export interface DemoClient {
  call(method: string, path: string, init?: RequestInit): Promise<Response>
  /** A JSON answer, checked against its schema; with a body the method is POST. */
  json<S extends TSchema>(schema: S, path: string, body?: object): Promise<Static<S>>
}

export function demoClient(url: string, token: string): DemoClient {
  const call: DemoClient['call'] = async (method, path, init = {}) => {
    const headers = { authorization: `Bearer ${token}`, ...init.headers }
    const response = await fetch(`${url}${path}`, { ...init, method, headers })
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
    return response
  }
  return {
    call,
    async json(schema, path, body) {
      const headers = { 'content-type': 'application/json' }
      const response = await (body ? call('POST', path, { headers, body: JSON.stringify(body) }) : call('GET', path))
      return Value.Parse(schema, await response.json())
    },
  }
}

/**
 * Sends the clip as a resumable upload, breaks the connection in the middle, and goes on where the upload was. Returns the
 * size of the clip and where it went on, in bytes.
 */
export async function upload({ call }: DemoClient, path: string, clip: string): Promise<{ bytes: number; at: number }> {
  const bytes = (await stat(clip)).size
  const bar = progressBar('upload')
  const version = { 'tus-resumable': '1.0.0' }
  const metadata = `filename ${Buffer.from('clip.mp4').toString('base64')}`
  const created = await call('POST', `${path}/tus`, {
    headers: { ...version, 'upload-length': String(bytes), 'upload-metadata': metadata },
  })
  const place = created.headers.get('location') ?? ''
  async function* body(from: number, to: number) {
    let sent = from
    for await (const chunk of createReadStream(clip, { start: from })) {
      if (sent > to) throw new Error('the connection breaks')
      yield chunk
      sent += chunk.length
      bar.show((sent / bytes) * 100)
    }
  }
  const send = (from: number, to: number) => {
    const headers = { ...version, 'upload-offset': String(from), 'content-type': 'application/offset+octet-stream' }
    return call('PATCH', place, { headers, body: ReadableStream.from(body(from, to)), duplex: 'half' })
  }
  const unbroken = await send(0, bytes / 2).catch(() => undefined)
  if (unbroken) throw new Error('the connection did not break')
  const at = Number((await call('HEAD', place, { headers: version })).headers.get('upload-offset'))
  const last = await send(at, bytes)
  bar.end()
  if (last.headers.get('upload-offset') !== String(bytes)) throw new Error('the upload is not complete')
  return { bytes, at }
}

/**
 * Waits until the encode has ended, and shows its progress. Returns after how many seconds the recording could be played, and
 * after how many it was finished.
 */
export async function encoded({ json }: DemoClient, session: string): Promise<{ playable: number; finished: number }> {
  const bar = progressBar('encode')
  const began = Date.now()
  const spent = () => (Date.now() - began) / 1000
  let playableAfter: number | undefined
  try {
    while (Date.now() < began + encodeMs) {
      const { state, progress, playable, failure } = await json(VideoState, `${session}/video/state`)
      if (state === 'failed') throw new Error(`the encode failed: ${failure}`)
      bar.show(progress)
      if (playable) playableAfter ??= spent()
      if (state === 'encoded') return { playable: playableAfter ?? spent(), finished: spent() }
      await sleep(100)
    }
    throw new Error('the encode did not end in time')
  } finally {
    bar.end()
  }
}

const Links = Type.Record(Type.String(), Type.Union([Type.String(), Type.Integer(), Type.Null()]))

/** The paths of signed links to the recording, by what they open. */
export async function linksOf({ call }: DemoClient, session: string): Promise<Map<string, string>> {
  const { expires_at, ...links } = Value.Parse(Links, await (await call('POST', `${session}/playback`)).json())
  return new Map(
    Object.entries(links).flatMap(([name, path]) => (typeof path === 'string' ? [[name, path] as const] : [])),
  )
}
