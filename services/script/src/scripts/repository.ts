import { type Database, ownSession, type SessionOfCaller, scriptVersions, sessions } from '@playtherapy/schema'
import { and, desc, eq, lt } from 'drizzle-orm'

/** Most versions that one answer lists. */
const mostListed = 1_000

/** The stored scripts of the caller's session, newest first: all, those before a version, the one that counts, or one version. */
export function scriptsOf(db: Database, caller: SessionOfCaller, which?: 'current' | number | { before: number }) {
  return db
    .select({
      version: scriptVersions.version,
      path: scriptVersions.path,
      size: scriptVersions.size,
      etag: scriptVersions.etag,
      checksum: scriptVersions.checksum,
      warnings: scriptVersions.warnings,
      userId: scriptVersions.userId,
      createdAt: scriptVersions.createdAt,
      sessionName: sessions.name,
    })
    .from(sessions)
    .innerJoin(scriptVersions, eq(scriptVersions.sessionId, sessions.id))
    .where(
      and(
        ownSession(caller),
        eq(scriptVersions.state, 'stored'),
        which === 'current' ? eq(scriptVersions.id, sessions.scriptVersionId) : undefined,
        typeof which === 'number' ? eq(scriptVersions.version, which) : undefined,
        typeof which === 'object' ? lt(scriptVersions.version, which.before) : undefined,
      ),
    )
    .orderBy(desc(scriptVersions.version))
    .limit(mostListed)
}

export type StoredScript = Awaited<ReturnType<typeof scriptsOf>>[number]
