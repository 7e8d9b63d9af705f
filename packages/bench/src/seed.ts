import { cases, openDatabase, sessions } from '@playtherapy/schema'

/** A therapist of the rows that need but one. */
export const therapist = 7

/** Adds sessions of one case of the therapist; answers their paths. */
export async function addSessions(databaseUrl: string, count: number): Promise<{ id: number; path: string }[]> {
  const database = openDatabase({ url: databaseUrl, max: 1, applicationName: 'bench' })
  try {
    const [owned] = await database.db.insert(cases).values({ userId: therapist, givenName: '민수' }).returning()
    if (!owned) throw new Error('no case')
    const wanted = Array.from({ length: count }, (_, n) => ({ caseId: owned.id, name: `session ${n + 1}` }))
    const made = await database.db.insert(sessions).values(wanted).returning({ id: sessions.id })
    return made.map(({ id }) => ({ id, path: `/contents/api/case/${owned.id}/session/${id}` }))
  } finally {
    await database.close()
  }
}
