import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, NetworkFailure } from '@playtherapy/client'
import { progressBar } from './terminal.ts'

/** How long the encode of the clip may take. */
const encodeMs = 180_000

/** Names a session in calls of the client. */
export interface SessionIds {
  case_id: number
  session_id: number
}

/**
 * Sends the clip as a resumable upload, breaks the connection in the middle, and goes on where the upload was. Returns the
 * size of the clip and where it went on, in bytes.
 */
export async function upload({ uploads }: Api, ids: SessionIds, clip: string): Promise<{ bytes: number; at: number }> {
  const bytes = (await stat(clip)).size
  const bar = progressBar('upload')
  const version = { ...ids, 'tus-resumable': '1.0.0' }
  const { location } = await uploads.create({
    ...version,
    'upload-length': String(bytes),
    'upload-metadata': `filename ${Buffer.from('clip.mp4').toString('base64')}`,
  })
  const upload = { ...version, upload_id: location.split('/').at(-1) ?? '' }
  async function* body(from: number, to: number) {
    let sent = from
    for await (const chunk of createReadStream(clip, { start: from })) {
      if (sent > to) throw new Error('the connection breaks')
      yield chunk
      sent += chunk.length
      bar.show((sent / bytes) * 100)
    }
  }
  const send = (from: number, to: number) =>
    uploads.append({ ...upload, 'upload-offset': String(from), body: ReadableStream.from(body(from, to)) })
  const unbroken = await send(0, bytes / 2).catch((error: unknown) => {
    if (!(error instanceof NetworkFailure)) throw error
  })
  if (unbroken) throw new Error('the connection did not break')
  const { uploadOffset: at } = await uploads.head(upload)
  const last = await send(at, bytes)
  bar.end()
  if (last.uploadOffset !== bytes) throw new Error('the upload is not complete')
  return { bytes, at }
}

/**
 * Waits until the encode has ended, and shows its progress. Returns after how many seconds the recording could be played, and
 * after how many it was finished.
 */
export async function encoded({ videos }: Api, ids: SessionIds): Promise<{ playable: number; finished: number }> {
  const bar = progressBar('encode')
  const began = Date.now()
  const spent = () => (Date.now() - began) / 1000
  let playableAfter: number | undefined
  try {
    while (Date.now() < began + encodeMs) {
      const { state, progress, playable, failure } = await videos.getState(ids)
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

/** The paths of signed links to the recording, by what they open. */
export async function linksOf({ playback }: Api, ids: SessionIds): Promise<Map<string, string>> {
  const { expires_at, ...links } = await playback.createLinks(ids)
  return new Map(
    Object.entries(links).flatMap(([name, path]) => (typeof path === 'string' ? [[name, path] as const] : [])),
  )
}
