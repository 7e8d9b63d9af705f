import { exportPath, type Phase } from '@playtherapy/object-store'
import { caseExports, cases, type Database, State } from '@playtherapy/schema'
import { and, eq, inArray, sql } from 'drizzle-orm'
import type { Lease } from '../encode/lease.ts'
import { leaseUntil } from '../encode/lock.ts'

/** An attempt at an export. */
export interface Claimed {
  id: number
  caseId: number
  attempt: number
  /** Column value of the file that this attempt writes. */
  path: string
  withoutMedia: boolean
  pseudonyms: boolean
}

/**
 * Begins the next attempt at an export, also at one that had failed, which an operator repeats. Undefined when it was deleted or is
 * done; `waitMs` when another attempt is alive. Locks its row.
 */
export const claimExport = (
  db: Database,
  phase: Phase,
  id: number,
): Promise<Claimed | { waitMs: number } | undefined> =>
  db.transaction(async (tx) => {
    const [row] = await tx
      .select({
        caseId: caseExports.caseId,
        stateId: caseExports.stateId,
        attempt: caseExports.attempt,
        withoutMedia: caseExports.withoutMedia,
        pseudonyms: caseExports.pseudonyms,
        leaseMs: sql<number>`coalesce(extract(epoch from ${caseExports.leaseUntil} - now()) * 1000, 0)::float8`,
      })
      .from(caseExports)
      .where(eq(caseExports.id, id))
      .for('no key update')
    if (!row || row.stateId === State.DONE) return undefined
    if (row.leaseMs > 0) return { waitMs: row.leaseMs }
    const { caseId, withoutMedia, pseudonyms } = row
    const attempt = row.attempt + 1
    const path = exportPath(phase, caseId, id, attempt)
    await tx
      .update(caseExports)
      .set({
        stateId: State.START,
        attempt,
        path,
        progress: 0,
        failure: null,
        finishedAt: null,
        expiresAt: null,
        leaseUntil,
      })
      .where(eq(caseExports.id, id))
    return { id, caseId, attempt, path, withoutMedia, pseudonyms }
  })

const isCurrent = ({ id, attempt }: Claimed) =>
  and(eq(caseExports.id, id), eq(caseExports.attempt, attempt), eq(caseExports.stateId, State.START))

/** The lease of an attempt; it is lost when the export is deleted, because what it exports was. */
export const leaseOf = (db: Database, claimed: Claimed): Lease => ({
  async renew(progress) {
    const rows = await db
      .update(caseExports)
      .set({ leaseUntil, progress })
      .where(isCurrent(claimed))
      .returning({ id: caseExports.id })
    return rows.length > 0
  },
  async release() {
    await db.update(caseExports).set({ leaseUntil: null }).where(isCurrent(claimed))
  },
})

const end = (keepSeconds: number) => ({
  leaseUntil: null,
  finishedAt: sql`now()`,
  expiresAt: sql`now() + make_interval(secs => ${keepSeconds})`,
})

/** Makes the file of an attempt the export's; false when the export was deleted or another attempt has begun. */
export async function commitExport(
  db: Database,
  claimed: Claimed,
  file: { size: number; etag: string; missing: number },
  keepSeconds: number,
): Promise<boolean> {
  const rows = await db
    .update(caseExports)
    .set({ ...file, ...end(keepSeconds), stateId: State.DONE, progress: 100 })
    .where(isCurrent(claimed))
    .returning({ id: caseExports.id })
  return rows.length > 0
}

/** Whether the export has the file of this attempt. */
export async function isCommitted(db: Database, { id, attempt }: Claimed): Promise<boolean> {
  const done = and(eq(caseExports.id, id), eq(caseExports.attempt, attempt), eq(caseExports.stateId, State.DONE))
  return (await db.$count(caseExports, done)) > 0
}

/** Records that an export was given up; false when it was deleted or is done. */
export async function failExport(db: Database, id: number, failure: string, keepSeconds: number): Promise<boolean> {
  const rows = await db
    .update(caseExports)
    .set({ ...end(keepSeconds), stateId: State.ERROR, failure })
    .where(and(eq(caseExports.id, id), inArray(caseExports.stateId, [State.READY, State.START])))
    .returning({ id: caseExports.id })
  return rows.length > 0
}

/** The column values among these that no export has: of exports that were replaced or deleted, and of attempts that died. */
export async function withoutExport(db: Database, paths: string[]): Promise<string[]> {
  const rows = await db.select({ path: caseExports.path }).from(caseExports).where(inArray(caseExports.path, paths))
  const owned = new Set(rows.map(({ path }) => path))
  return paths.filter((path) => !owned.has(path))
}

/** The case of an export as it is written; undefined when it was deleted. */
export async function readCase(db: Database, caseId: number) {
  const [row] = await db
    .select({
      id: cases.id,
      givenName: cases.givenName,
      familyName: cases.familyName,
      description: cases.description,
      caseStateId: cases.caseStateId,
      createdAt: cases.createdAt,
      updatedAt: cases.updatedAt,
    })
    .from(cases)
    .where(eq(cases.id, caseId))
  return row
}
