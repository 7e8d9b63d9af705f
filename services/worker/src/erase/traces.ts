import {
  caseExports,
  type erasures,
  installation,
  outbox,
  scriptVersions,
  sessionChanges,
  sessions,
  type Transaction,
  videos,
  webhookPosition,
} from '@playtherapy/schema'
import { type SQL, sql } from 'drizzle-orm'

/** A number beyond those of all changes. */
const longAfter = Number.MAX_SAFE_INTEGER

type Whose = Pick<typeof erasures.$inferSelect, 'caseId' | 'sessionId' | 'videoId'>

/**
 * Forgets what else names what was erased. Dead letters of jobs about it, which a retry would only find missing; webhooks about it
 * that were given up; and its changes, which event streams know for a day. Webhooks that are still to be sent stay. Locks dead letters,
 * then changes, then the row of the installation.
 */
export async function forgetTraces(tx: Transaction, { caseId, sessionId, videoId }: Whose): Promise<void> {
  const idIn = (name: string): SQL => sql`(${outbox.payload} ->> ${sql.raw(`'${name}'`)})::int`
  // Not `not exists`, for which PostgreSQL would read the whole table.
  const isGone = (name: string, table: SQL) =>
    sql`(${outbox.payload} ? ${sql.raw(`'${name}'`)} and (select t.id from ${table} as t where t.id = ${idIn(name)}) is null)`
  const ofSession = (column: SQL) => (sessionId === null ? sql`true` : sql`${column} = ${sessionId}`)
  const isDead = sql`${outbox.failedAt} is not null`
  // The conditions on the name are literals, because they must match those of indexes.
  await tx.execute(sql`delete from ${outbox} where ${isDead} and ${outbox.name} <> 'send-webhook' and (
    ${isGone('video_id', sql`${videos}`)}
    or ${isGone('export_id', sql`${caseExports}`)}
    or ${isGone('script_version_id', sql`${scriptVersions}`)}
    or ${isGone('session_id', sql`${sessions}`)})`)
  // A recording's session is still there.
  if (videoId !== null) return
  await tx.execute(sql`delete from ${outbox} where ${isDead} and ${outbox.name} = 'send-webhook'
    and ${idIn('case_id')} = ${caseId} and ${ofSession(idIn('session_id'))}`)
  await tx.execute(sql`
    with removed as (
      delete from ${sessionChanges} where ${sessionChanges.caseId} = ${caseId}
        and ${ofSession(sql`${sessionChanges.sessionId}`)}
        and id <= coalesce((select change from ${webhookPosition}), ${longAfter})
      returning id
    )
    update ${installation} set changes_forgotten = (select max(id) from removed)
    where changes_forgotten < (select max(id) from removed)`)
}
