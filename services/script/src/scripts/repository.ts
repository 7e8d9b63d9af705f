import { type Database, ownSession, type SessionOfCaller, scriptVersions, sessions } from '@playtherapy/schema'
import { mostVersions, storedVersions, type WhichVersions } from '@playtherapy/versions'
import { and, desc, eq } from 'drizzle-orm'

/** The stored scripts of the caller's session, newest first. */
export function scriptsOf(db: Database, caller: SessionOfCaller, which: WhichVersions) {
  return db
    .select({
      version: scriptVersions.version,
      path: scriptVersions.path,
      size: scriptVersions.size,
      etag: scriptVersions.etag,
      checksum: scriptVersions.checksum,
      warnings: scriptVersions.warnings,
      userId: scriptVersions.userId,
      madeBy: scriptVersions.madeBy,
      createdAt: scriptVersions.createdAt,
      sessionName: sessions.name,
    })
    .from(sessions)
    .innerJoin(scriptVersions, eq(scriptVersions.sessionId, sessions.id))
    .where(and(ownSession(caller), storedVersions(scriptVersions, sessions.scriptVersionId, which)))
    .orderBy(desc(scriptVersions.version))
    .limit(mostVersions)
}

export type StoredScript = Awaited<ReturnType<typeof scriptsOf>>[number]
