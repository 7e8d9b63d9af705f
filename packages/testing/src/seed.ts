import { audioPath, chunkPath, previewPath, rungPath } from '@playtherapy/object-store'
import {
  audioRenditions,
  type Cause,
  cases,
  chunkFiles,
  chunks,
  type Database,
  encodePlans,
  previews,
  rungs,
  sessions,
} from '@playtherapy/schema'

/** A request of therapist 7, for what is called without one. */
export const testCause = (requestId: string): Cause => ({
  actor: 'therapist',
  userId: 7,
  requestId,
  auditId: requestId,
  address: '192.0.2.7',
  isNamed: false,
})

/** Inserts a session of this therapist in a new case, and returns both ids. */
export async function seedSession(db: Database, userId = 1): Promise<{ caseId: number; sessionId: number }> {
  const [owned] = await db.insert(cases).values({ userId, givenName: '민수' }).returning({ id: cases.id })
  if (!owned) throw new Error('no case')
  const [session] = await db.insert(sessions).values({ caseId: owned.id, name: 'first' }).returning({ id: sessions.id })
  if (!session) throw new Error('no session')
  return { caseId: owned.id, sessionId: session.id }
}

/** What {@link seedEncode} writes of each object. */
interface SeededObject {
  size: number
  etag: string
}

const someObject: SeededObject = { size: 5, etag: '"1"' }

/**
 * Inserts what the first attempt at an encode makes of a video, beside its rendition: a plan, an encoded chunk with a file, the
 * sound, a finished rung and previews. Returns the id of the chunk, and the keys of the objects without their first folder;
 * it writes no objects.
 */
export async function seedEncode(
  db: Database,
  { id, path }: { id: number; path: string },
  { chunk = someObject, rung = someObject }: { chunk?: SeededObject; rung?: SeededObject } = {},
) {
  await db.insert(encodePlans).values({ videoId: id, plan: {}, seconds: 4, targetSeconds: 4 })
  const [planned] = await db
    .insert(chunks)
    .values({ videoId: id, kind: 'picture', index: 0, fromSeconds: 0, toSeconds: 4, state: 'encoded', attempt: 1 })
    .returning({ id: chunks.id })
  if (!planned) throw new Error('no chunk')
  const paths = {
    chunk: chunkPath(path, planned.id, 1, 'upper'),
    rung: rungPath(path, 1, 'lower'),
    audio: audioPath(path, planned.id, 1),
    poster: previewPath(path, 1, 'poster'),
    storyboard: previewPath(path, 1, 'storyboard'),
  }
  const picture = { codec: 'avc1.640028', width: 320, height: 180 }
  const header = { headerBytes: 1, headerHash: 'h' }
  await db.insert(chunkFiles).values({
    chunkId: planned.id,
    rung: 'upper',
    path: paths.chunk,
    ...chunk,
    ...header,
    ...picture,
    segments: [[4, 4]],
  })
  const parts = [{ start: 0, headerBytes: 1, segments: [[4, 4] satisfies [number, number]] }]
  await db.insert(rungs).values({ videoId: id, rung: 'lower', path: paths.rung, ...rung, ...picture, parts })
  await db.insert(audioRenditions).values({ videoId: id, path: paths.audio, ...someObject })
  await db.insert(previews).values({
    videoId: id,
    ...{ posterPath: paths.poster, posterSize: 5, posterEtag: '"1"' },
    ...{ storyboardPath: paths.storyboard, storyboardSize: 5, storyboardEtag: '"1"' },
    storyboard: { columns: 2, rows: 1, width: 160, height: 90, seconds: 2, tiles: 2 },
  })
  return { chunkId: planned.id, paths }
}

/** Counts the rows of all encodes, renditions apart. */
export async function countEncodeRows(db: Database): Promise<number> {
  const counts = [encodePlans, chunks, chunkFiles, rungs, audioRenditions, previews].map((table) => db.$count(table))
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}
