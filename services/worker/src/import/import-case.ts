import type { ObjectStore, Phase } from '@playtherapy/object-store'
import { cases, type Database, isOutage, outlastOutage, tryHoldOffSweeps } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'
import { CaseDocument, caseName, SessionDocument } from '../export/format.ts'
import { type Archive, ImportError } from './archive.ts'
import { checkCase, checkSession } from './limits.ts'
import { type StoredSession, storeSession } from './objects.ts'
import { insertSession } from './rows.ts'

interface Resources {
  db: Database
  store: ObjectStore
  phase: Phase
}

/** What an import has made. */
export interface Imported {
  caseId: number
  sessions: number
  recordings: number
}

/** Objects that are removed with one call. */
const batchKeys = 500

/**
 * Imports an export as a new case of a therapist. All files are stored first, each compared with its hash, and then one transaction
 * inserts all rows, so that there is a whole case or none. The transaction is open from the beginning, idle, because it keeps sweeps of orphans from removing what
 * is stored before its rows are; a lost connection ends the import. After a failure the objects are removed; what cannot be removed, and what a
 * killed import leaves, is what the orphan sweep of a worker removes. It also removes what a transaction leaves whose commit got no
 * response, unless the case turns out to be there. Throws ImportError for a file that is not as it was exported.
 */
export async function importCase({ db, store, phase }: Resources, archive: Archive, userId: number): Promise<Imported> {
  const document = await archive.readDocument(caseName, CaseDocument)
  checkCase(document)
  const names = archive.manifest.files.map(({ path }) => path).filter((path) => path.endsWith('/session.json'))
  const documents: SessionDocument[] = []
  for (const name of names) {
    const session = await archive.readDocument(name, SessionDocument)
    if (name !== `sessions/${session.id}/session.json`) throw new ImportError(`${name} is about another session.`)
    checkSession(session)
    documents.push(session)
  }
  documents.sort((a, b) => a.id - b.id)
  const next = async (table: 'cases' | 'sessions' | 'videos') => {
    const [row] = await db.execute<{ id: number }>(sql`select nextval(${`${table}_id_seq`}::regclass)::int4 as id`)
    if (!row) throw new Error('there is no row')
    return row.id
  }
  const keys: string[] = []
  const stored: StoredSession[] = []
  let caseId = 0
  let hasBegun = false
  const imported = () => {
    const recordings = stored.reduce((sum, session) => sum + session.recordings.size, 0)
    return { caseId, sessions: stored.length, recordings }
  }
  try {
    await db.transaction(async (tx) => {
      if (!(await tryHoldOffSweeps(tx))) {
        throw new ImportError(
          'A worker removes objects without a row at the moment. Please import the file when it has finished.',
        )
      }
      // It comes after the lock, whose statement would otherwise keep its snapshot, and vacuum could remove no row meanwhile.
      await tx.execute(sql`set local idle_in_transaction_session_timeout = 0`)
      caseId = await next('cases')
      for (const session of documents) {
        const place = {
          store,
          archive,
          phase,
          caseId,
          onKey: (key: string) => keys.push(key),
          nextVideoId: () => next('videos'),
        }
        stored.push(await storeSession(place, session, await next('sessions')))
      }
      // The hashes of all other files are checked, too.
      for (const path of archive.unread()) for await (const _part of archive.read(path));
      hasBegun = true
      await tx.insert(cases).values({
        ...{ id: caseId, userId, givenName: document.given_name, familyName: document.family_name },
        ...{ description: document.description, caseStateId: document.case_state_id },
        ...{ createdAt: new Date(document.created_at), updatedAt: new Date(document.updated_at) },
      })
      for (const session of stored) await insertSession(tx, { caseId, userId }, session)
    })
    return imported()
  } catch (error) {
    if (hasBegun && isOutage(error)) {
      // The commit may have succeeded, or still succeed, although its response was lost: nothing is removed here.
      const isThere = await outlastOutage(() => db.$count(cases, eq(cases.id, caseId))).catch(() => undefined)
      if (isThere?.result) return imported()
      throw error
    }
    for (let from = 0; from < keys.length; from += batchKeys) {
      await store.delete(keys.slice(from, from + batchKeys)).catch(() => {})
    }
    throw error
  }
}
