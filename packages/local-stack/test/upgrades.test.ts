/** Installations of older schemas, with data in them, after one upgrade to this release that skips all between. */
import { Readable } from 'node:stream'
import { type Folder, inFolder, type ObjectStore } from '@playtherapy/object-store'
import { migrate } from '@playtherapy/schema/migrate'
import { connectTo, newestMigration, olderDatabase, roleUrls, testStore } from '@playtherapy/testing'
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

/** Stores objects, and a case by the statements of the first release, whose tables and columns have remained. */
async function insertCase(url: string, store: ObjectStore): Promise<void> {
  const put = (folder: Folder, name: keyof typeof paths) => {
    const contentType = folder === 'video' ? 'video/mp4' : 'application/json'
    return store.put(inFolder(folder, paths[name]), Readable.from([Buffer.from(objects[name])]), { contentType })
  }
  const original = { path: paths.original, ...(await put('video', 'original')) }
  const rendition = { path: paths.rendition, ...(await put('video', 'rendition')) }
  const script = { path: paths.script, ...(await put('script', 'script')) }
  const report = { path: paths.report, ...(await put('analyze_report', 'report')) }
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

/** Some of the older schemas, with the first and the last of them: all take a minute. */
const older = [0, 4, 8, 12, 16, 20, 24, newestMigration - 1]

for (const last of older) {
  t.test(`after an upgrade from migration ${last} everything is read, and changed`, async (t) => {
    const url = await olderDatabase(t, last)
    const store = await testStore(t, 'file')
    await insertCase(url, store)
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
