/** What is left anywhere of an erased case that went through everything. */
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { installationKey, receiptKeyKey } from '@playtherapy/object-store'
import {
  hideVersions,
  type QueueBackend,
  queueBackends,
  redisContents,
  storeBackends,
  type Teardown,
  testBucket,
  testQueue,
  until,
  versionsIn,
} from '@playtherapy/testing'
import t from 'tap'
import { record, recordingPlace } from './recording-place.ts'

/** Every name and text of the case holds it, and nothing else does. */
const secret = 'QXsecretQX'
const mark = `비밀${secret}`
/** Tables whose rows get numbers by which they are known anywhere; the index is a digit of theirs. */
const numbered = ['cases', 'sessions', 'videos', 'script_versions', 'report_versions', 'chunks', 'case_exports']
const isNumber = /(?<!\d)77[0-6]31\d\d(?!\d)/

const [first, second] = await Promise.all([record(1), record(2)])

/** A receiver that wants no webhooks, so that all are given up. */
async function unwilling(t: Teardown): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(410).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/hooks`
}

for (const backend of storeBackends) {
  const queueBackend: QueueBackend = backend === 's3' && queueBackends.includes('redis') ? 'redis' : 'postgres'
  t.test(`of a case in ${backend}, with the queue on ${queueBackend}`, async (t) => {
    const bucket = backend === 's3' ? await testBucket() : undefined
    if (bucket) await hideVersions(t, bucket, 'Enabled', [])
    const place = await recordingPlace(t, bucket)
    const { sql, store, host, call, issue, put, encoded, databaseUrl } = place
    const queue = testQueue(t, queueBackend, databaseUrl)
    let log = ''
    const webhooks = { WEBHOOK_URL: await unwilling(t), WEBHOOK_INTERNAL_ADDRESSES: '127.0.0.1' }
    const signing = { WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 'a').toString('base64')}` }
    const settings = { QUEUE_URL: queue.url, QUEUE_PREFIX: queue.prefix, LOG_LEVEL: 'info', ...webhooks, ...signing }
    place.startWorker(settings, (text) => {
      log += text
    })
    for (const [index, table] of numbered.entries()) {
      await sql.unsafe(`alter table ${table} alter column id restart with ${7_703_100 + index * 10_000}`)
    }

    const keyed = async (path: string, body: object) => {
      const response = await fetch(`${host.url}/contents/api/case${path}`, {
        method: 'POST',
        headers: { ...host.as(7), 'content-type': 'application/json', 'idempotency-key': secret },
        body: JSON.stringify(body),
      })
      return Number(Object(await response.json()).id)
    }
    const description = { age: 7, gender: 'F', note: mark }
    const caseId = await keyed('', { given_name: mark, family_name: mark, description })
    const session = `/${caseId}/session/${await keyed(`/${caseId}/session`, { data: { name: mark } })}`
    const form = (part: string, content: string | Uint8Array<ArrayBuffer>) => {
      const body = new FormData()
      body.set(part, new Blob([content]), `${mark}.mp4`)
      return body
    }
    const script = (text: string) =>
      JSON.stringify({ scripts: [{ speaker: 'T', text, start_time: '00:00:00', end_time: '00:00:01' }] })
    const report = {
      reports: { Evaluation: { category: 'Evaluation', descriptions: mark, interactions: [], level: 1 } },
    }

    // Three uploads: one that is replaced, one that cannot be encoded, and one by a presigned URL; and two that never end.
    t.match(await call('POST', `${session}/video`, form('file', first)), [201])
    t.match(await encoded(session), { encoding_state_id: 3 })
    t.match(await call('POST', `${session}/video`, form('file', first.subarray(0, first.length / 3))), [201])
    t.match(await encoded(session), { encoding_state_id: 4 }, 'a failed job')
    const { url, path } = await issue(session)
    await put(url, second)
    t.match(await call('PUT', session, { data: { name: mark, origin_video_url: path } }), [200])
    t.match(await encoded(session), { encoding_state_id: 3 })
    await put((await issue(session)).url, first)
    const metadata = {
      'tus-resumable': '1.0.0',
      'upload-length': '9000000',
      'upload-metadata': `filename ${Buffer.from(mark).toString('base64')}`,
    }
    const type = { 'content-type': 'application/offset+octet-stream' }
    const tus = await fetch(`${host.url}/contents/api/case${session}/video/tus`, {
      method: 'POST',
      headers: { ...host.as(7), ...metadata, ...type },
      body: second,
    })
    t.equal(tus.status, 201)

    for (const text of [mark, `${mark} again`])
      t.match(await call('POST', `${session}/script`, form('script', script(text))), [200])
    t.match(await call('GET', `/${caseId}/script-search?keyword=${encodeURIComponent(mark)}`), [
      200,
      { hits: [{ session_name: mark }] },
    ])
    const delivered = await fetch(`${host.url}/contents/api/case${session}/analyze-report`, {
      method: 'POST',
      headers: { ...host.withClaims({ scope: 'reports:write' }), 'content-type': 'application/json' },
      body: JSON.stringify(report),
    })
    t.equal(delivered.status, 200)
    const [, playback] = await call('POST', `${session}/playback`)
    const link = `${host.url}${Object(playback).mp4}`
    t.match(await fetch(link), { status: 200 })
    t.match(await call('POST', `/${caseId}/export`, {}), [200])
    const file = await until(
      'the export',
      async () => Object((await call('GET', `/${caseId}/export`))[1]),
      ({ state_id: state }) => state === 3 || state === 4,
    )
    t.match(file, { state_id: 3 })

    /** All rows of all tables but these, as text. */
    const rows = async (...but: string[]) => {
      const tables = await sql<{ name: string }[]>`
        select format('%I.%I', nspname, relname) as name from pg_class join pg_namespace n on n.oid = relnamespace
        where relkind in ('r', 'p', 'm') and nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg_toast%'`
      const found: string[] = []
      for (const { name } of tables) {
        if (but.includes(name.replace('public.', ''))) continue
        for (const row of await sql.unsafe(`select row_to_json(t)::text as text from ${name} as t`))
          found.push(`${name} ${row.text}`)
      }
      return found
    }
    const names = async () => {
      const keys: string[] = []
      for await (const { key } of store.list('')) keys.push(key)
      const stored = bucket ? await versionsIn(t, bucket) : await readdir(place.folder, { recursive: true })
      return [...keys, ...stored]
    }
    const inQueue = async () => (queueBackend === 'redis' ? [await redisContents(queue.url, queue.prefix)] : [])
    const everywhere = async () => [...(await rows('erasures')), ...(await names()), ...(await inQueue())]
    // The audit trail keeps ids, and nothing else.
    const mayHaveIds = (text: string) => text.startsWith('public.audit_')
    const hold = (texts: string[]) =>
      texts.filter((text) => text.includes(secret) || (!mayHaveIds(text) && isNumber.test(text)))
    const before = hold(await everywhere())
    const tables = new Set(before.map((text) => text.split(' ')[0]))
    for (const table of [
      'cases',
      'sessions',
      'videos',
      'tus_uploads',
      'script_pages',
      'outbox',
      'session_changes',
      'case_exports',
    ]) {
      t.ok(tables.has(`public.${table}`), `${table} is searched`)
    }

    const deletion = await fetch(`${host.url}/contents/api/case/${caseId}`, { method: 'DELETE', headers: host.as(7) })
    const location = `${host.url}${deletion.headers.get('location')}`
    const read = async () => Object(await (await fetch(location, { headers: host.as(7) })).json())
    await until('the first removal', read, ({ first_swept_at }) => first_swept_at !== null)
    await until(
      'the end of every webhook',
      () =>
        sql`select from webhooks union all select from webhook_position where change < (select max(id) from session_changes)`,
      (waiting) => waiting.length === 0,
    )
    await sql`update erasures set created_at = now() - interval '25 hours'`
    await sql`update outbox set available_at = now() where failed_at is null`
    const { receipt } = await until('the last removal', read, ({ state }) => state === 'erased')
    await until(
      'the end of every job',
      () => sql`select from outbox where failed_at is null`,
      (jobs) => jobs.length === 0,
    )

    t.strictSame(hold([...(await rows('erasures', 'bullmq.job')), ...(await names())]), [])
    await until(
      'the queue forgets its failed jobs',
      async () => hold(await everywhere()),
      (left) => left.length === 0,
    )
    t.strictSame(
      (await readdir(`${place.folder}/scratch`, { recursive: true })).filter((name) => name.match(isNumber)),
      [],
    )
    t.ok(log.includes('"job":"erase"'), 'the log is searched')
    t.notMatch(log, new RegExp(secret))
    const keys = []
    for await (const { key } of store.list('')) if (!key.startsWith('audit/')) keys.push(key)
    t.strictSame(keys.sort(), [installationKey('LOCAL'), receiptKeyKey('LOCAL')])
    const payload = Buffer.from(String(receipt).split('.')[1] ?? '', 'base64url').toString()
    t.notMatch(payload, new RegExp(secret))
    t.match(JSON.parse(payload), { erased: { kind: 'case', case_id: caseId }, sweeps: [{ uploads: Number }, {}] })
    t.equal((await fetch(link)).status, 404)
  })
}
