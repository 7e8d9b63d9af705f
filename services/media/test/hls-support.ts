import { createHash, randomBytes } from 'node:crypto'
import { inFolder } from '@playtherapy/object-store'
import {
  bytesOf,
  type ChunkKind,
  chunkFiles,
  chunks,
  encodePlans,
  joinChunks,
  type Rung,
  rungs,
  type Segments,
  sessions,
  videos,
} from '@playtherapy/schema'
import { and, eq } from 'drizzle-orm'
import type { Test } from 'tap'
import type { testMedia } from './support.ts'

export type Media = Awaited<ReturnType<typeof testMedia>>

export interface TestFile {
  header: Buffer
  segments: Segments
  bytes: Buffer
}

/** A file of a chunk whose bytes are random: a header and segments of four seconds. */
export function testFile(header: Buffer, segments: number): TestFile {
  const list = Array.from({ length: segments }, (): [number, number] => [4, 1_000 + Math.floor(Math.random() * 500)])
  const size = list.reduce((sum, [, bytes]) => sum + bytes, 0)
  return { header, segments: list, bytes: Buffer.concat([header, randomBytes(size)]) }
}

/** Adds a newer recording to the session, which is being encoded in these chunks of `seconds` each. */
export async function planVideo(media: Media, planned: [ChunkKind, count: number][], seconds = 8) {
  const { db, caseId, sessionId } = media
  const [video] = await db
    .insert(videos)
    .values({
      sessionId,
      state: 'encoding',
      size: 9,
      etag: '"o"',
      container: 'mp4',
      storedAt: new Date(),
      path: `LOCAL/${caseId}/${sessionId}/${await db.$count(videos)}.mp4`,
    })
    .returning()
  if (!video) throw new Error('no video')
  const most = Math.max(...planned.map(([, count]) => count))
  await db.update(sessions).set({ videoId: video.id }).where(eq(sessions.id, sessionId))
  await db.insert(encodePlans).values({ videoId: video.id, plan: {}, seconds: most * seconds, targetSeconds: 4 })
  await db.insert(chunks).values(
    planned.flatMap(([kind, count]) =>
      Array.from({ length: count }, (_, index) => ({
        videoId: video.id,
        kind,
        index,
        fromSeconds: count === 1 ? 0 : index * seconds,
        toSeconds: count === 1 ? most * seconds : (index + 1) * seconds,
      })),
    ),
  )
  return video.id
}

/** Makes a chunk encoded, with these files. */
export async function encodeChunk(
  media: Media,
  videoId: number,
  [kind, index]: [ChunkKind, number],
  files: Partial<Record<Rung, TestFile>>,
) {
  const { db, store, caseId, sessionId } = media
  const [chunk] = await db
    .update(chunks)
    .set({ state: 'encoded', progress: 100 })
    .where(and(eq(chunks.videoId, videoId), eq(chunks.kind, kind), eq(chunks.index, index)))
    .returning()
  for (const rung of ['upper', 'lower', 'sound'] as const) {
    const file = files[rung]
    if (!file || !chunk) continue
    const path = `LOCAL/${caseId}/${sessionId}/chunk_${videoId}-${chunk.id}-1-${rung}.mp4`
    const contentType = rung === 'sound' ? 'audio/mp4' : 'video/mp4'
    const stored = await store.put(inFolder('video', path), file.bytes, { contentType })
    await db.insert(chunkFiles).values({
      ...{ chunkId: chunk.id, rung, path, ...stored, segments: file.segments },
      headerBytes: file.header.length,
      headerHash: createHash('sha256').update(file.header).digest('hex'),
      codec: rung === 'sound' ? 'mp4a.40.2' : 'avc1.64001f',
      ...(rung === 'sound' ? { width: 0, height: 0 } : { width: 640, height: 360 }),
    })
  }
}

/** The bytes of a rung, as one object has them. */
export const bytesOfRung = (files: TestFile[]) =>
  Buffer.concat(joined(files).map(({ file, skipped }) => file.bytes.subarray(skipped)))

const joined = (files: TestFile[]) =>
  joinChunks(
    files.map((file) => ({
      ...file,
      headerBytes: file.header.length,
      headerHash: createHash('sha256').update(file.header).digest('hex'),
    })),
  )

/** Joins a rung to one object, and removes its chunks if `isLast`. */
export async function finishRung(media: Media, videoId: number, rung: Rung, files: TestFile[]) {
  const { db, store, caseId, sessionId } = media
  const path = `LOCAL/${caseId}/${sessionId}/rung_${videoId}-1-${rung}.mp4`
  const contentType = rung === 'sound' ? 'audio/mp4' : 'video/mp4'
  const stored = await store.put(inFolder('video', path), bytesOfRung(files), { contentType })
  const parts = joined(files).map(({ part }) => part)
  const isWhole = parts.reduce((sum, part) => sum + bytesOf(part), 0) === stored.size
  if (!isWhole) throw new Error('the parts are not the whole rung')
  await db.insert(rungs).values({
    ...{ videoId, rung, path, ...stored, parts },
    codec: rung === 'sound' ? 'mp4a.40.2' : 'avc1.64001f',
    ...(rung === 'sound' ? { width: 0, height: 0 } : { width: 640, height: 360 }),
  })
}

/** Removes the chunks of a video and their objects, as is done some time after its rungs are finished. */
export async function forgetChunks({ db, store }: Media, videoId: number) {
  const files = await db
    .select({ path: chunkFiles.path })
    .from(chunkFiles)
    .innerJoin(chunks, eq(chunks.id, chunkFiles.chunkId))
    .where(eq(chunks.videoId, videoId))
  await db.delete(chunks).where(eq(chunks.videoId, videoId))
  await store.delete(files.map(({ path }) => inFolder('video', path)))
}

/** The URL of the main playlist; undefined as long as there is none. */
export async function linkOf({ host, path, auth }: Media, base = host.url): Promise<string | undefined> {
  const response = await fetch(base + path.replace(/video$/, 'playback'), { method: 'POST', headers: auth })
  const { hls } = Object(await response.json())
  return typeof hls === 'string' ? base + hls : undefined
}

export async function textOf(url: string | URL) {
  const response = await fetch(url)
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
}

/** The URIs and byte ranges of a playlist, in order, each with its seconds; a header has none. */
export function segmentsIn(playlist: string) {
  const found: { uri: string; start: number; bytes: number; seconds: number | undefined }[] = []
  let [seconds, range]: [number | undefined, string[]] = [undefined, []]
  for (const line of playlist.split('\n')) {
    const map = /^#EXT-X-MAP:URI="([^"]+)",BYTERANGE="(\d+)@(\d+)"$/.exec(line)
    if (map?.[1]) found.push({ uri: map[1], start: Number(map[3]), bytes: Number(map[2]), seconds: undefined })
    if (line.startsWith('#EXTINF:')) seconds = Number.parseFloat(line.slice(8))
    if (line.startsWith('#EXT-X-BYTERANGE:')) range = line.slice(17).split('@')
    if (line && !line.startsWith('#'))
      found.push({ uri: line, bytes: Number(range[0]), start: Number(range[1]), seconds })
  }
  return found
}

const rangeOf = ({ start, bytes }: { start: number; bytes: number }) => ({
  range: `bytes=${start}-${start + bytes - 1}`,
})

/** Reads all that a playlist lists, checks that it is these bytes, and returns the playlist. */
export async function checkRung(t: Test, main: string, rung: Rung, files: TestFile[]) {
  const { text } = await textOf(main)
  const uri = text.split('\n').find((line) => line.startsWith(`${rung}.m3u8`)) ?? /URI="(sound[^"]+)"/.exec(text)?.[1]
  const url = new URL(uri ?? '', main)
  const playlist = await textOf(url)
  const read: Buffer[] = []
  for (const entry of segmentsIn(playlist.text)) {
    const response = await fetch(new URL(entry.uri, url), { headers: rangeOf(entry) })
    const size = bytesOfRung(files).length
    t.match(
      [response.status, response.headers.get('content-range'), response.headers.get('content-length')],
      [206, `bytes ${entry.start}-${entry.start + entry.bytes - 1}/${size}`, `${entry.bytes}`],
    )
    read.push(Buffer.from(await response.arrayBuffer()))
  }
  t.equal(Buffer.concat(read).compare(bytesOfRung(files)), 0, `the segments of ${rung} are its bytes`)
  return playlist.text
}
