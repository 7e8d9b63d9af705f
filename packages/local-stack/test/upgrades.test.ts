/** Installations of older schemas, with data in them, after one upgrade to this release that skips all between. */
import { Readable } from 'node:stream'
import { type Folder, inFolder, type ObjectStore } from '@playtherapy/object-store'
import { migrate } from '@playtherapy/schema/migrate'
import { connectTo, newestMigration, olderDatabase, olderDatabases, roleUrls, testStore } from '@playtherapy/testing'
import postgres from 'postgres'
import t from 'tap'
import { testServices } from './support.ts'

/** Keys as the first release named them, without a random part. */
const paths = {
  original: 'LOCAL/1/1/1.mp4',
  rendition: 'LOCAL/1/1/encoded_1-1.mp4',
  script: 'LOCAL/1/1/script_v1.json',
  report: 'LOCAL/1/1/analyze_report_v1.json',
}
const record = { start_time: '00:00:01', end_time: '00:00:02', speaker: 'C', text: '높아요' }
const objects = {
  original: 'an original',
  rendition: 'a rendition',
  script: JSON.stringify({ scripts: [record] }),
  report: JSON.stringify({ level: 3, categories: [] }),
}

type Stored = Record<keyof typeof paths, { size: number; etag: string }>

async function storeObjects(store: ObjectStore): Promise<Stored> {
  const put = (folder: Folder, name: keyof typeof paths) => {
    const contentType = folder === 'video' ? 'video/mp4' : 'application/json'
    return store.put(inFolder(folder, paths[name]), Readable.from([Buffer.from(objects[name])]), { contentType })
  }
  return {
    original: await put('video', 'original'),
    rendition: await put('video', 'rendition'),
    script: await put('script', 'script'),
    report: await put('analyze_report', 'report'),
  }
}

/** Inserts a case by the statements of the first release, whose tables and columns have remained. */
async function insertCase(url: string, objects: Stored): Promise<void> {
  const original = { path: paths.original, ...objects.original }
  const rendition = { path: paths.rendition, ...objects.rendition }
  const script = { path: paths.script, ...objects.script }
  const report = { path: paths.report, ...objects.report }
  const ofSession = { session_id: 1 }
  const stored = { ...ofSession, version: 1, state: 'stored' }
  const described = { container: 'mp4', file_name: '지우.mp4', stored_at: new Date(), state: 'encoded' }
  const picture = { video_id: 1, duration_ms: 2_000, width: 2, height: 2 }

  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const child = { user_id: 7, given_name: '지우', family_name: '김', description: sql.json({ age: 6 }) }
  await sql`insert into cases ${sql(child)}`
  await sql`insert into sessions (case_id, name) values (1, '첫 만남')`
  await sql`insert into videos ${sql({ ...ofSession, ...described, ...original })}`
  await sql`insert into renditions ${sql({ ...ofSession, ...picture, ...rendition })}`
  await sql`insert into script_versions ${sql({ ...stored, user_id: 7, ...script })}`
  await sql`insert into report_versions ${sql({ ...stored, ...report })}`
  await sql`update sessions set session_state_id = 4, encoding_state_id = 1, video_id = 1`
  await sql`update sessions set encoding_state_id = 2, video_length = '00:00:02'`
  await sql`update sessions set encoding_state_id = 3, rendition_id = 1, script_version_id = 1, report_version_id = 1,
    last_script_version = 1, last_report_version = 1`
  await sql`insert into erasures (case_id) values (99)`
  await sql`insert into outbox (name, payload) values ('encode-video', '{"videoId": 1}')`
  await sql.end()
}

/** Everything of the schema that a statement may notice, and the rows of the case; times and random ids are left out. */
async function stateOf(url: string) {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const texts = async (query: string) => (await sql.unsafe<{ text: string }[]>(query)).map(({ text }) => text)
  const ofOurs = "in ('public'::regnamespace, 'drizzle'::regnamespace)"
  const schema = {
    columns:
      await texts(`select concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, generation_expression)
      as text from information_schema.columns where table_schema = 'public' order by 1`),
    constraints: await texts(`select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) as text
      from pg_constraint where connamespace ${ofOurs} order by 1`),
    indexes:
      await texts(`select pg_get_indexdef(indexrelid) as text from pg_index join pg_class on pg_class.oid = indexrelid
      where relnamespace ${ofOurs} order by 1`),
    triggers: await texts('select pg_get_triggerdef(oid) as text from pg_trigger where not tgisinternal order by 1'),
    functions: await texts(`select pg_get_functiondef(oid) as text from pg_proc
      where pronamespace ${ofOurs} and prolang <> (select oid from pg_language where lanname = 'c') order by 1`),
    rights: await texts(`select concat_ws(' ', grantee, table_name, column_name, privilege_type) as text
      from information_schema.column_privileges where table_schema = 'public' order by 1`),
  }
  const tables = [
    'cases',
    'sessions',
    'videos',
    'renditions',
    'script_versions',
    'report_versions',
    'erasures',
    'outbox',
  ]
  const rows = await Promise.all(
    tables.map((table) =>
      texts(`select jsonb_object_agg(key, case when key ~ '(_at|_id)$' and value #>> '{}' ~ '-' then '"some"' else value end)::text
        as text from ${table} as t, jsonb_each(to_jsonb(t)) group by t.id order by t.id`),
    ),
  )
  await sql.end()
  return { schema, rows }
}

t.test('an upgrade from any older schema comes to the same schema, and keeps the rows', async (t) => {
  const stored = { size: 5, etag: '"e"' }
  const objects = { original: stored, rendition: stored, script: stored, report: stored }
  let first: Awaited<ReturnType<typeof stateOf>> | undefined
  for await (const { last, url } of olderDatabases(t)) {
    await insertCase(url, objects)
    await migrate(url, roleUrls(url))
    const state = await stateOf(url)
    first ??= state
    t.strictSame(state, first, `from migration ${last}`)
  }
  t.ok(first?.rows.every((rows) => rows.length === 1))
  t.ok(first && Object.values(first.schema).every((texts) => texts.length > 10))
})

/** Since all come to the same, the first and the last of them are enough for what services do with it. */
const older = [0, newestMigration - 1]

for (const last of older) {
  t.test(`after an upgrade from migration ${last} everything is read, and changed`, async (t) => {
    const url = await olderDatabase(t, last)
    const store = await testStore(t, 'file')
    await insertCase(url, await storeObjects(store))
    await migrate(url, roleUrls(url))
    const services = await testServices(t, 'file', {}, { database: connectTo(t, url), store })
    const ofCase = `${services.url}/contents/api/case/1`
    const headers = services.as(7)
    const read = async (path: string) => {
      const response = await fetch(path, { headers })
      if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
      return response.text()
    }
    const json = async (path: string): Promise<unknown> => JSON.parse(await read(path))

    t.match(await json(`${services.url}/contents/api/case?skip=0&limit=1&keyword=지우`), [{ id: 1, family_name: '김' }])
    t.match(await json(`${ofCase}/session`), [{ id: 1, name: '첫 만남', video_length: '00:00:02' }])
    t.match(await json(`${ofCase}/session/1/script`), { scripts: [record] })
    t.match(await json(`${ofCase}/session/1/script/versions`), [{ version: 1 }])
    t.match(await json(`${ofCase}/session/1/analyze-report`), { level: 3 })
    t.match(await json(`${ofCase}/session/1/video/state`), { state: 'encoded' })
    t.equal(await read(`${ofCase}/session/1/video`), objects.rendition)
    t.match(await json(`${ofCase}/audit`), [{ action: 'read', kind: 'video' }])

    const body = new FormData()
    body.set('script', new Blob([JSON.stringify({ scripts: [{ ...record, text: '낮아요' }] })]), 'script.json')
    t.equal((await fetch(`${ofCase}/session/1/script`, { method: 'POST', headers, body })).status, 200)
    t.match(await read(`${ofCase}/script-search?keyword=낮아`), '낮아요')
    t.equal((await fetch(ofCase, { method: 'DELETE', headers })).status, 200)
    t.equal((await fetch(ofCase, { headers })).status, 400)
  })
}
