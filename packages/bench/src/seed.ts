import { cases, openDatabase, renditions, sessions, videos } from '@playtherapy/schema'
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

/** Gives a session an encoded recording, whose object `put` writes. Returns the object's key. */
export async function addRendition(
  databaseUrl: string,
  session: { id: number },
  put: (key: string) => Promise<{ size: number; etag: string }>,
): Promise<string> {
  const database = openDatabase({ url: databaseUrl, max: 1, applicationName: 'bench' })
  const { db } = database
  const sessionId = session.id
  try {
    const path = `LOCAL/bench/${sessionId}/encoded.mp4`
    const stored = await put(`video/${path}`)
    const [video] = await db
      .insert(videos)
      .values({
        sessionId,
        state: 'encoded',
        size: 1,
        etag: '"o"',
        container: 'mp4',
        storedAt: new Date(),
        path: `LOCAL/bench/${sessionId}/original.mp4`,
      })
      .returning()
    if (!video) throw new Error('no video')
    const [rendition] = await db
      .insert(renditions)
      .values({ sessionId, videoId: video.id, path, ...stored, durationMs: 1, width: 2, height: 2 })
      .returning()
    if (!rendition) throw new Error('no rendition')
    await db.update(sessions).set({ videoId: video.id, renditionId: rendition.id }).where(eq(sessions.id, sessionId))
    return `video/${path}`
  } finally {
    await database.close()
  }
}
