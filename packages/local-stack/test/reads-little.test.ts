/** What a therapist reads must not get slower with the number of others' sessions. */
import { Readable } from 'node:stream'
import { connectTo, fillSessions, testDatabase, testStore, until, wholeReads } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { testServices } from './support.ts'

/** A session and its case, and their therapist. */
const [sessionId, userId] = [50_000, 5_001]

const record = { start_time: '00:00:01', end_time: '00:00:02', speaker: 'C', text: '높아요' }
const objects = [
  { table: 'script_versions', folder: 'script', body: JSON.stringify({ scripts: [record] }) },
  { table: 'report_versions', folder: 'analyze_report', body: JSON.stringify({ level: 3, categories: [] }) },
  { table: 'renditions', folder: 'video', body: 'a rendition' },
]

const ofCase = [
  ...[
    '',
    '/session',
    '/session?keyword=x',
    '/session/total-num',
    '/report-trend',
    '/audit',
    '/script-search?keyword=높아',
  ],
]
const ofSession = [
  ...['', '/analyze-report', '/analyze-report/versions', '/video', '/video/state', '/video/presigned-url'],
  ...['/script', '/script.vtt', '/script/versions', '/script/versions/1', '/script/summary'],
]

t.test('no read reads a whole table', async (t) => {
  const { db, url } = await testDatabase(t)
  await fillSessions(url)
  const store = await testStore(t, 'file')
  for (const { table, folder, body } of objects) {
    const path = `LOCAL/${sessionId}/${sessionId}/${table}`
    const stored = await store.put(`${folder}/${path}`, Readable.from([Buffer.from(body)]), {
      contentType: 'text/plain',
    })
    await db.transaction(async (tx) => {
      await tx.execute(sql`set local session_replication_role = replica`)
      await tx.execute(sql`update ${sql.identifier(table)} set path = ${path}, size = ${stored.size}, etag = ${stored.etag}
        where session_id = ${sessionId}`)
      await tx.execute(sql`update report_versions set levels = '[["Questioning", 1]]' where session_id = ${sessionId}`)
    })
  }
  const services = await testServices(t, 'file', {}, { database: connectTo(t, url), store })
  const headers = services.as(userId)
  const read = async (path: string, method = 'GET') => {
    const response = await fetch(`${services.url}/contents/api${path}`, { method, headers })
    const text = await response.text()
    t.equal(response.status, 200, `${path} ${response.status === 200 ? '' : text}`)
    return text
  }
  for (const path of ['/case?skip=0&limit=5', '/case/total-num?keyword=x', '/erasure']) await read(path)
  for (const path of ofCase) await read(`/case/${sessionId}${path}`)
  for (const path of ofSession) await read(`/case/${sessionId}/session/${sessionId}${path}`)
  const links: Record<string, string> = JSON.parse(
    await read(`/case/${sessionId}/session/${sessionId}/playback`, 'POST'),
  )
  for (const path of [links.hls, links.mp4]) {
    t.equal((await fetch(`${services.url}${path}`)).status, 200)
  }
  const events = new AbortController()
  t.equal((await fetch(`${services.url}/contents/api/events`, { headers, signal: events.signal })).status, 200)
  events.abort()

  // Connections tell what they have read when they end.
  const others = sql`from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
  const ending = await db.execute<{ pid: number }>(sql`select pid, pg_terminate_backend(pid) ${others}`)
  const pids = `{${ending.map(({ pid }) => pid).join()}}`
  await until('the end of the connections', async () => {
    const open = await db.execute(sql`select ${others} and pid = any(${pids}::int[])`)
    return open.length === 0
  })
  t.strictSame([...(await wholeReads(db))], [])
})
