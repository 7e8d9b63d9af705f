import { cases, type Database, sessions } from '@playtherapy/schema'

/** Inserts a session of this therapist in a new case, and returns both ids. */
export async function seedSession(db: Database, userId = 1): Promise<{ caseId: number; sessionId: number }> {
  const [owned] = await db.insert(cases).values({ userId, givenName: '민수' }).returning({ id: cases.id })
  if (!owned) throw new Error('no case')
  const [session] = await db.insert(sessions).values({ caseId: owned.id, name: 'first' }).returning({ id: sessions.id })
  if (!session) throw new Error('no session')
  return { caseId: owned.id, sessionId: session.id }
}
