import { createHash } from 'node:crypto'
import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import {
  bytesOf,
  type ChunkKind,
  chunkFiles,
  chunks,
  type Database,
  encodePlans,
  joinChunks,
  type Rung,
  rungs,
  type Segments,
  sessions,
  videos,
} from '@playtherapy/schema'
import { and, eq } from 'drizzle-orm'

interface Place {
  db: Database
  store: ObjectStore
  caseId: number
  sessionId: number
}

/** What a chunk makes of one rung: `bytes` are the header, then the segments. */
export interface RungFile {
  header: Buffer
  segments: Segments
  bytes: Buffer
  /** Pixels of a picture, 640x360 unless they are given. */
  size?: { width: number; height: number }
}

/** What the database says of the file of a rung: each is H.264 High at level 3.1, or AAC. */
const describe = (rung: Rung, { size }: RungFile) =>
  rung === 'sound'
    ? { codec: 'mp4a.40.2', width: 0, height: 0 }
    : { codec: 'avc1.64001f', width: 640, height: 360, ...size }

/** Adds a video to the session, whose original has no object. It does not become the current one. */
export async function addVideo(
  { db, caseId, sessionId }: Pick<Place, 'db' | 'caseId' | 'sessionId'>,
  state: 'encoding' | 'encoded',
) {
  const path = `LOCAL/${caseId}/${sessionId}/${await db.$count(videos)}.mp4`
  const original = { size: 9, etag: '"o"', container: 'mp4', storedAt: new Date(), path } as const
  const [video] = await db
    .insert(videos)
    .values({ sessionId, state, ...original })
    .returning()
  if (!video) throw new Error('no video')
  return video
}

/** Adds a newer recording to the session, which is being encoded in these chunks of `seconds` each. */
export async function planVideo(place: Place, planned: [ChunkKind, count: number][], seconds = 8) {
  const { db, sessionId } = place
  const video = await addVideo(place, 'encoding')
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
  place: Place,
  videoId: number,
  [kind, index]: [ChunkKind, number],
  files: Partial<Record<Rung, RungFile>>,
) {
  const { db, store, caseId, sessionId } = place
  const isThis = and(eq(chunks.videoId, videoId), eq(chunks.kind, kind), eq(chunks.index, index))
  const [chunk] = await db.select({ id: chunks.id }).from(chunks).where(isThis)
  if (!chunk) throw new Error('no such chunk')
  const rows: (typeof chunkFiles.$inferInsert)[] = []
  for (const rung of ['upper', 'lower', 'sound'] as const) {
    const file = files[rung]
    if (!file) continue
    const path = `LOCAL/${caseId}/${sessionId}/chunk_${videoId}-${chunk.id}-1-${rung}.mp4`
    const contentType = rung === 'sound' ? 'audio/mp4' : 'video/mp4'
    const stored = await store.put(inFolder('video', path), file.bytes, { contentType })
    rows.push({
      ...{ chunkId: chunk.id, rung, path, ...stored, segments: file.segments },
      headerBytes: file.header.length,
      headerHash: createHash('sha256').update(file.header).digest('hex'),
      ...describe(rung, file),
    })
  }
  await db.transaction(async (tx) => {
    await tx.update(chunks).set({ state: 'encoded', progress: 100 }).where(isThis)
    if (rows.length > 0) await tx.insert(chunkFiles).values(rows)
  })
}

/** The bytes of a rung, as one object has them. */
export const bytesOfRung = (files: RungFile[]) =>
  Buffer.concat(joined(files).map(({ file, skipped }) => file.bytes.subarray(skipped)))

const joined = (files: RungFile[]) =>
  joinChunks(
    files.map((file) => ({
      ...file,
      headerBytes: file.header.length,
      headerHash: createHash('sha256').update(file.header).digest('hex'),
    })),
  )

/** Joins a rung to one object. */
export async function finishRung(place: Place, videoId: number, rung: Rung, files: RungFile[]) {
  const { db, store, caseId, sessionId } = place
  const [first] = files
  if (!first) throw new Error('no chunk')
  const path = `LOCAL/${caseId}/${sessionId}/rung_${videoId}-1-${rung}.mp4`
  const contentType = rung === 'sound' ? 'audio/mp4' : 'video/mp4'
  const stored = await store.put(inFolder('video', path), bytesOfRung(files), { contentType })
  const parts = joined(files).map(({ part }) => part)
  const isWhole = parts.reduce((sum, part) => sum + bytesOf(part), 0) === stored.size
  if (!isWhole) throw new Error('the parts are not the whole rung')
  await db.insert(rungs).values({
    ...{ videoId, rung, path, ...stored, parts },
    ...describe(rung, first),
  })
}

/** Removes the chunks of a video and their objects, as is done some time after its rungs are finished. */
export async function forgetChunks({ db, store }: Place, videoId: number) {
  const files = await db
    .select({ path: chunkFiles.path })
    .from(chunkFiles)
    .innerJoin(chunks, eq(chunks.id, chunkFiles.chunkId))
    .where(eq(chunks.videoId, videoId))
  await db.delete(chunks).where(eq(chunks.videoId, videoId))
  await store.delete(files.map(({ path }) => inFolder('video', path)))
}
