import {
  cases,
  type Database,
  encodePlans,
  openDatabase,
  renditions,
  rungs,
  type Segments,
  sessions,
  videos,
} from '@playtherapy/schema'
import { eq } from 'drizzle-orm'

/** The therapist of the rows that need only one. */
export const therapist = 7

/** Inserts sessions in one new case of this therapist. Returns their ids and paths. */
export async function addSessions(
  databaseUrl: string,
  count: number,
  userId = therapist,
): Promise<{ id: number; path: string }[]> {
  const database = openDatabase({ url: databaseUrl, max: 1, applicationName: 'bench' })
  try {
    const [owned] = await database.db.insert(cases).values({ userId, givenName: '민수' }).returning()
    if (!owned) throw new Error('no case')
    const wanted = Array.from({ length: count }, (_, n) => ({ caseId: owned.id, name: `session ${n + 1}` }))
    const made = await database.db.insert(sessions).values(wanted).returning({ id: sessions.id })
    return made.map(({ id }) => ({ id, path: `/contents/api/case/${owned.id}/session/${id}` }))
  } finally {
    await database.close()
  }
}

type Put = (key: string) => Promise<{ size: number; etag: string }>

/** Inserts an encoded video, which becomes the session's current one. Returns its id. */
async function addVideo(db: Database, sessionId: number): Promise<number> {
  const path = `LOCAL/bench/${sessionId}/original.mp4`
  const original = { size: 1, etag: '"o"', container: 'mp4', storedAt: new Date(), path } as const
  const [video] = await db
    .insert(videos)
    .values({ ...original, sessionId, state: 'encoded' })
    .returning()
  if (!video) throw new Error('no video')
  await db.update(sessions).set({ videoId: video.id }).where(eq(sessions.id, sessionId))
  return video.id
}

/** Gives a session an MP4, whose object `put` writes. Returns the object's key. */
export async function addRendition(databaseUrl: string, { id: sessionId }: { id: number }, put: Put): Promise<string> {
  const database = openDatabase({ url: databaseUrl, max: 1, applicationName: 'bench' })
  const { db } = database
  try {
    const path = `LOCAL/bench/${sessionId}/encoded.mp4`
    const stored = await put(`video/${path}`)
    const videoId = await addVideo(db, sessionId)
    const [rendition] = await db
      .insert(renditions)
      .values({ sessionId, videoId, path, ...stored, durationMs: 1, width: 2, height: 2 })
      .returning()
    if (!rendition) throw new Error('no rendition')
    await db.update(sessions).set({ renditionId: rendition.id }).where(eq(sessions.id, sessionId))
    return `video/${path}`
  } finally {
    await database.close()
  }
}

/** Gives a session a finished upper rung, whose object `put` writes. Returns the object's key. */
export async function addUpperRung(
  databaseUrl: string,
  { id: sessionId }: { id: number },
  segments: Segments,
  put: Put,
): Promise<string> {
  const database = openDatabase({ url: databaseUrl, max: 1, applicationName: 'bench' })
  const { db } = database
  try {
    const path = `LOCAL/bench/${sessionId}/upper.mp4`
    const stored = await put(`video/${path}`)
    const videoId = await addVideo(db, sessionId)
    const seconds = segments.reduce((sum, [length]) => sum + length, 0)
    await db.insert(encodePlans).values({ videoId, plan: {}, seconds, targetSeconds: 4 })
    const parts = [{ start: 0, headerBytes: 0, segments }]
    const described = { rung: 'upper', codec: 'avc1.640028', width: 1920, height: 1080 } as const
    await db.insert(rungs).values({ videoId, ...described, path, ...stored, parts })
    return `video/${path}`
  } finally {
    await database.close()
  }
}
