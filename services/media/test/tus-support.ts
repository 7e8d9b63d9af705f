import { once } from 'node:events'
import { type IncomingMessage, request as openRequest } from 'node:http'
import { buffer, text } from 'node:stream/consumers'
import { videos } from '@playtherapy/schema'
import { until } from '@playtherapy/testing'
import { desc } from 'drizzle-orm'
import type { testMedia } from './support.ts'

export type Media = Awaited<ReturnType<typeof testMedia>>
type Headers = Record<string, string>

const version = { 'tus-resumable': '1.0.0' }
export const bytesType = { 'content-type': 'application/offset+octet-stream' }
export const metadata = (fileName: string) => `filename ${Buffer.from(fileName).toString('base64')},filetype dmlkZW8=`

/** Requests of the protocol as a client of a therapist sends them; 7 by default. */
export function tusClient(media: Media, { as = 7, path = media.path }: { as?: number; path?: string } = {}) {
  const base = media.host.url
  const send = async (method: string, target: string, headers: Headers = {}, body?: Buffer) => {
    const response = await fetch(base + target, {
      method,
      headers: { ...media.host.as(as), ...version, ...headers },
      ...(body && { body: new Uint8Array(body) }),
    })
    const content = await response.text()
    const offset = Number(response.headers.get('upload-offset') ?? Number.NaN)
    return { status: response.status, body: content && JSON.parse(content), headers: response.headers, offset }
  }
  const url = `${path}/tus`
  return {
    url,
    send,
    async create(headers: Headers, body?: Buffer) {
      const response = await send('POST', url, headers, body)
      return { ...response, upload: response.headers.get('location') ?? '' }
    },
    patch: (upload: string, offset: number, body: Buffer, headers: Headers = {}) =>
      send('PATCH', upload, { ...bytesType, 'upload-offset': String(offset), ...headers }, body),
    head: (upload: string) => send('HEAD', upload),
    remove: (upload: string) => send('DELETE', upload),
    /** Opens a PATCH whose body the test writes. */
    open(upload: string, offset: number, headers: Headers = {}) {
      const request = openRequest(base + upload, {
        method: 'PATCH',
        agent: false,
        headers: { ...media.host.as(as), ...version, ...bytesType, 'upload-offset': String(offset), ...headers },
      })
      const answer = once(request, 'response').then(async ([response]: IncomingMessage[]) => {
        if (!response) throw new Error('no response')
        return { status: response.statusCode ?? 0, body: await text(response), headers: response.headers }
      })
      answer.catch(() => {})
      request.on('error', () => {})
      const write = (bytes: Buffer) => new Promise<void>((resolve) => request.write(bytes, () => resolve()))
      return { request, answer, write }
    },
  }
}

/** The newest recording of all, and its bytes. */
export async function newestRecording({ db, store }: Media) {
  const [video] = await db.select().from(videos).orderBy(desc(videos.id)).limit(1)
  if (!video) throw new Error('no video')
  return { video, bytes: await buffer(await store.get(`video/${video.path}`, { ifMatch: video.etag ?? '' })) }
}

/** Everything that the store has, also of what is no object yet. */
export async function everythingIn({ store }: Media): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('')) keys.push(key)
  for await (const { key } of store.unfinished('')) keys.push(`${key}, unfinished`)
  return keys
}

/** Waits until the service has received so many bytes of the newest recording; it writes down their number each second. */
export const arrival = ({ db }: Media, bytes: number) =>
  until(
    `${bytes} bytes have arrived`,
    () => db.select({ received: videos.received }).from(videos).orderBy(desc(videos.id)).limit(1),
    ([video]) => video?.received === bytes,
  )
