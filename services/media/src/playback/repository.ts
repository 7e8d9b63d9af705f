import { type Database, renditions, sessions } from '@playtherapy/schema'
import { ownSession, type SessionOfCaller } from '@playtherapy/service-kit'
import { eq } from 'drizzle-orm'

/** The rendition that counts for the caller's session, if there is one. */
export async function playable(db: Database, caller: SessionOfCaller) {
  const [rendition] = await db
    .select({
      path: renditions.path,
      size: renditions.size,
      etag: renditions.etag,
      createdAt: renditions.createdAt,
      scriptVersionId: sessions.scriptVersionId,
    })
    .from(sessions)
    .innerJoin(renditions, eq(renditions.id, sessions.renditionId))
    .where(ownSession(db, caller))
  return rendition
}

export type Playable = NonNullable<Awaited<ReturnType<typeof playable>>>
