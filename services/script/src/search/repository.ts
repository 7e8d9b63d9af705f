import {
  type CaseOfCaller,
  type Database,
  folding,
  ownSessions,
  scriptPages,
  scriptVersions,
  sessions,
} from '@playtherapy/schema'
import { and, eq, inArray, lt, ne, notExists, sql } from 'drizzle-orm'
import { charactersAfter, charactersBefore } from './excerpt.ts'

/** The newest script of a session that is not prepared for the search. */
export interface UnpagedScript {
  id: number
  sessionId: number
  version: number
  path: string
  size: number
  etag: string | null
  checksum: string | null
}

/** One record that holds the keyword. */
export interface Hit {
  session_id: number
  session_name: string
  version: number
  record: number
  start_time: string | null
  end_time: string | null
  speaker: string
  /** The text around the first place, longer than `excerpt` shows it where the folded text is shorter. */
  around: string
}

/** Most characters that a text has more than its folded form and are looked through for the first place. */
const mostUnseen = 1000

/** The scripts of a case that must be prepared before it is searched, newest session first. */
export function unpagedScripts(db: Database, caller: CaseOfCaller): Promise<UnpagedScript[]> {
  const { id, sessionId, version, path, size, etag, checksum } = scriptVersions
  const pages = db
    .select()
    .from(scriptPages)
    .where(and(eq(scriptPages.scriptVersionId, id), eq(scriptPages.folding, folding)))
  return db.heavy(caller.userId, (pool) =>
    pool
      .select({ id, sessionId, version, path, size, etag, checksum })
      .from(sessions)
      .innerJoin(scriptVersions, eq(id, sessions.scriptVersionId))
      .where(and(ownSessions(caller), notExists(pages)))
      .orderBy(sql`${sessions.id} desc`),
  )
}

/**
 * Stores the pages of a script, batches of JSON arrays, and removes those of older versions, and of an older release. If a
 * newer version was saved meanwhile, its first search replaces them. Nothing happens when the session was deleted. Locks
 * the session.
 */
export async function keepPages(
  db: Database,
  { id, sessionId, version }: UnpagedScript,
  batches: Uint8Array[],
): Promise<void> {
  await db.transaction(async (tx) => {
    // A deletion waits for this lock and this lock for a deletion, so that no page is left without its session.
    const [found] = await tx
      .select({ id: sessions.id })
      .from(sessions)
      .where(eq(sessions.id, sessionId))
      .for('key share')
    if (!found) return
    const older = tx
      .select({ id: scriptVersions.id })
      .from(scriptVersions)
      .where(and(eq(scriptVersions.sessionId, sessionId), lt(scriptVersions.version, version)))
    // Two statements, because one with both conditions reads the pages of all scripts.
    await tx.delete(scriptPages).where(inArray(scriptPages.scriptVersionId, older))
    await tx.delete(scriptPages).where(and(eq(scriptPages.scriptVersionId, id), ne(scriptPages.folding, folding)))
    for (const batch of batches) {
      await tx.execute(sql`
        insert into ${scriptPages} (script_version_id, first_record, folded, folding, records)
        select ${id}::int, page."firstRecord", page.folded, ${folding}::smallint, page.records
        from jsonb_to_recordset(${Buffer.from(batch).toString()}::jsonb)
          as page ("firstRecord" int, folded text, records jsonb)
        on conflict do nothing`)
    }
  })
}

/**
 * Records of a case's newest scripts that contain the folded keyword, newest session first. It reads only the pages of the
 * case and needs no index: 150,000 records take about 20 ms, whatever the keyword and the number of other cases.
 */
export async function findRecords(
  db: Database,
  caller: CaseOfCaller,
  keyword: string,
  { skip, limit }: { skip: number; limit: number },
): Promise<Hit[]> {
  // Not the session's pointer: after a save the new version has no pages yet.
  const newest = sql`
    select ${scriptVersions.id}, ${scriptVersions.version} from ${scriptVersions}
    where ${scriptVersions.sessionId} = ${sessions.id}
      and exists (select from ${scriptPages} where ${scriptPages.scriptVersionId} = ${scriptVersions.id})
    order by ${scriptVersions.version} desc limit 1`
  const search = sql`
    with hits as (
      select ${sessions.id} as session_id, ${sessions.name} as session_name, newest.id as version_id, newest.version,
        ${scriptPages.firstRecord} as first_record, line.number::int - 1 as place, line.at, line.length
      from ${sessions}
      cross join lateral (${newest}) as newest
      join ${scriptPages} on ${scriptPages.scriptVersionId} = newest.id
      cross join lateral (
        select number, strpos(text, ${keyword}) as at, length(text) as length
        from string_to_table(${scriptPages.folded}, e'\n') with ordinality as lines (text, number)
      ) as line
      where ${ownSessions(caller)} and strpos(${scriptPages.folded}, ${keyword}) > 0 and line.at > 0
      order by session_id desc, first_record, place
      offset ${skip} limit ${limit}
    )
    select hits.session_id, hits.session_name, hits.version, hits.first_record + hits.place as record,
      found.value ->> 'start_time' as start_time, found.value ->> 'end_time' as end_time,
      found.value ->> 'speaker' as speaker,
      substr(
        found.value ->> 'text', greatest(1, hits.at - ${charactersBefore}),
        ${charactersBefore + charactersAfter} + length(${keyword})
          + least(length(found.value ->> 'text') - hits.length, ${mostUnseen})
      ) as around
    from hits
    join ${scriptPages} as page on page.script_version_id = hits.version_id and page.first_record = hits.first_record
    cross join lateral (select page.records -> hits.place as value) as found
    order by hits.session_id desc, record`
  return db.heavy(caller.userId, (pool) => pool.execute<Hit & Record<string, unknown>>(search))
}
