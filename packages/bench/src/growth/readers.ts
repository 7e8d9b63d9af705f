import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ObjectStore } from '@playtherapy/object-store'
import postgres from 'postgres'
import { busiest } from './amounts.ts'

/** A session with a recording, a script and a report, and its therapist. */
export interface Reader {
  userId: number
  caseId: number
  sessionId: number
}

/** Sessions that are read, of so many different therapists. */
const readersCount = 40

const script = JSON.stringify({
  scripts: Array.from({ length: 400 }, (_, n) => ({
    start_time: new Date(n * 2_000).toISOString().slice(11, 19),
    end_time: new Date(n * 2_000 + 1_500).toISOString().slice(11, 19),
    speaker: n % 3 === 0 ? 'T' : 'C1',
    text: '우리 같이 놀까요? 나는 높은 집을 지을 거야.',
  })),
})
const report = JSON.stringify({
  level: 2,
  reports: { Questioning: { level: 1, reason: 'few', feedback: 'more' } },
})

/** Chooses sessions at random, those of the busiest therapist or those of others, and stores what their rows name. */
export async function chooseReaders(url: string, store: ObjectStore, which: 'ordinary' | 'busiest'): Promise<Reader[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const [last] = await sql<{ id: number }[]>`select max(id) as id from sessions`
    const readers: Reader[] = []
    while (readers.length < readersCount) {
      const sessionId = Math.max(8, Math.floor(Math.random() * ((last?.id ?? 0) / 8)) * 8)
      const [found] = await sql<Reader[]>`select user_id as "userId", cases.id as "caseId", sessions.id as "sessionId"
        from sessions join cases on cases.id = case_id where sessions.id = ${sessionId}`
      if (found && (found.userId === busiest) === (which === 'busiest')) readers.push(found)
    }
    // Triggers refuse another ETag of what is stored.
    await sql`set session_replication_role = replica`
    for (const { caseId, sessionId } of readers) {
      await storeObjects(sql, store, sessionId, ['script_versions', 'report_versions', 'renditions'])
      // A search reads the scripts of all sessions of the case.
      const others = await sql<{ id: number }[]>`
        select id from sessions where case_id = ${caseId} and id <> ${sessionId} and script_version_id is not null`
      for (const { id } of others) await storeObjects(sql, store, id, ['script_versions'])
    }
    await sql`insert into case_exports (case_id, without_media, pseudonyms)
      select unnest(${readers.map(({ caseId }) => caseId)}::int[]), true, false on conflict do nothing`
    return readers
  } finally {
    await sql.end()
  }
}

const kinds = {
  script_versions: { folder: 'script', type: 'application/json', body: script },
  report_versions: { folder: 'analyze_report', type: 'application/json', body: report },
  renditions: { folder: 'video', type: 'video/mp4', body: 'a rendition' },
}

async function storeObjects(
  sql: postgres.Sql,
  store: ObjectStore,
  sessionId: number,
  tables: (keyof typeof kinds)[],
): Promise<void> {
  for (const table of tables) {
    const { folder, type, body } = kinds[table]
    const [row] = await sql<{ id: number; path: string }[]>`
      select id, path from ${sql(table)} where session_id = ${sessionId} order by id desc limit 1`
    if (!row) throw new Error(`${table} has no row of session ${sessionId}`)
    const key = `${folder}/${row.path}`
    // Both databases share a bucket, and have sessions with the same ids.
    const put =
      (await store.head(key)) ?? (await store.put(key, Readable.from([Buffer.from(body)]), { contentType: type }))
    await sql`update ${sql(table)} set ${sql({ size: put.size, etag: put.etag })} where id = ${row.id}`
    if (folder === 'script')
      await sql`update script_versions set checksum = ${hash('sha256', body)} where id = ${row.id}`
  }
}
