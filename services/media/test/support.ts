import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request as openRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { createS3Store, type FindPlace, type ObjectStore } from '@playtherapy/object-store'
import { renditions, sessions, videos } from '@playtherapy/schema'
import { addVideo, seedSession, type Teardown, testDatabase, testHost } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import { mediaApp } from '../src/app.ts'

/** Bytes that begin like an MP4 file. */
export const clip = (size = 100_000) =>
  Buffer.concat([
    Buffer.from('0000001c66747970' + '6d70343200000001' + '6d70343169736f6d', 'hex'),
    randomBytes(size - 24),
  ])

export interface MediaOptions {
  store: ObjectStore
  uploadLimit?: number
  uploadIdleMs?: number
  uploadLeastRate?: number
  gateway?: { prefix: string; findPlace: FindPlace }
}

/** Starts a media service with a new database and one session of therapist 7. */
export async function testMedia(t: Teardown, options: MediaOptions) {
  const { db, as } = await testDatabase(t)
  const { store } = options
  const host = await testHost(t, mediaApp({ db: as('media'), phase: 'LOCAL', uploadLimit: 20_000_000, ...options }))
  const { caseId, sessionId } = await seedSession(db, 7)

  const pathOf = (ids: { caseId: number; sessionId: number }) =>
    `/contents/api/case/${ids.caseId}/session/${ids.sessionId}/video`
  const path = pathOf({ caseId, sessionId })
  return {
    db,
    as,
    store,
    host,
    caseId,
    sessionId,
    addSession: (userId: number) => seedSession(db, userId),
    pathOf,
    path,
    url: host.url + path,
    auth: host.as(7),
    /** Returns the keys of all objects and the states of all video rows but those that tell of a failed upload. */
    async left() {
      const objects: string[] = []
      for await (const { key } of store.list('')) objects.push(key)
      const rows = await db.select().from(videos)
      return { objects, rows: rows.map(({ state }) => state).filter((state) => state !== 'failed') }
    },
    open: (headers = {}, target = path) => openUpload(host.url + target, { ...host.as(7), ...headers }),
    async upload(body: Buffer, headers = {}, target = path) {
      const upload = openUpload(host.url + target, { ...host.as(7), ...headers })
      upload.request.end(body)
      return upload.answer
    },
  }
}

type Place = Pick<Awaited<ReturnType<typeof testMedia>>, 'db' | 'store' | 'caseId' | 'sessionId'>

/** Gives the session an encoded video, with these bytes in the store. */
export async function addRendition(media: Place, bytes: Buffer, store: ObjectStore = media.store) {
  const { db, caseId, sessionId } = media
  const video = await addVideo(media, 'encoded')
  const path = `LOCAL/${caseId}/${sessionId}/encoded_${video.id}-1.mp4`
  async function* body() {
    yield bytes
  }
  const { size, etag } = await store.put(`video/${path}`, body(), { contentType: 'video/mp4' })
  const [rendition] = await db
    .insert(renditions)
    .values({ sessionId, videoId: video.id, path, size, etag, durationMs: 1, width: 2, height: 2 })
    .returning()
  if (!rendition) throw new Error('no rendition')
  await db.update(sessions).set({ videoId: video.id, renditionId: rendition.id }).where(eq(sessions.id, sessionId))
  return rendition
}

export const nothing = { objects: [], rows: [] }

export const isNothing = ({ objects, rows }: { objects: string[]; rows: string[] }) =>
  objects.length + rows.length === 0

/** An object store that cannot be reached: no server listens at its address. */
export const storeThatIsDown = () =>
  createS3Store({
    endpoint: 'http://127.0.0.1:1',
    region: 'us-east-1',
    bucket: 'nowhere',
    accessKeyId: 'x',
    secretAccessKey: 'x',
    forcePathStyle: true,
  })

const boundary = 'a-boundary-of-tests'

/** Returns the first lines of a multipart part: boundary and headers. */
export const partOf = (name: string, fileName?: string, type = 'video/mp4') =>
  `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${fileName === undefined ? '' : `; filename="${fileName}"`}\r\n` +
  `${fileName === undefined ? '' : `content-type: ${type}\r\n`}\r\n`
export const closing = `\r\n--${boundary}--\r\n`

/** Returns a multipart body of these parts; a text is a field, bytes are a file. */
export function form(...parts: [name: string, content: Buffer | string, fileName?: string][]): Buffer {
  const written = parts.map(([name, content, fileName = 'session 1.mp4']) =>
    typeof content === 'string'
      ? Buffer.from(`${partOf(name)}${content}\r\n`)
      : Buffer.concat([Buffer.from(partOf(name, fileName)), content, Buffer.from('\r\n')]),
  )
  return Buffer.concat([...written, Buffer.from(`--${boundary}--\r\n`)])
}

export interface Answer {
  status: number
  body: unknown
  headers: IncomingMessage['headers']
}

/** Opens a request on a new connection; the test writes its body. */
export function openUpload(url: string, headers: Record<string, string>) {
  const request = openRequest(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, ...headers },
  })
  const answer = once(request, 'response').then(async ([response]: IncomingMessage[]): Promise<Answer> => {
    if (!response) throw new Error('no response')
    const body = await text(response)
    return { status: response.statusCode ?? 0, body: body && JSON.parse(body), headers: response.headers }
  })
  // A refusal may arrive while the body is still being written; only tests that need the response await it.
  answer.catch(() => {})
  request.on('error', () => {})
  const write = (bytes: Buffer | string) => new Promise<void>((resolve) => request.write(bytes, () => resolve()))
  return { request, answer, write }
}
