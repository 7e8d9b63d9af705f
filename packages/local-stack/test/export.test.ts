/** The export of a case from the request to the download, with a worker of its own. */

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { queueBackends, storeBackends, testBucket, testQueue, until } from '@playtherapy/testing'
import t from 'tap'
import { recordingPlace } from './recording-place.ts'

for (const backend of storeBackends) {
  t.test(`${backend}: it is begun, made, downloaded in parts, and erased with a session`, async (t) => {
    const place = await recordingPlace(t, backend === 's3' ? await testBucket() : undefined)
    const { host, call, store, addSession, caseId, databaseUrl, sql } = place
    const queue = testQueue(t, queueBackends[0] ?? 'postgres', databaseUrl)
    const session = await addSession()
    const form = new FormData()
    const script = {
      scripts: [{ speaker: 'T', text: '안녕 '.repeat(60_000), start_time: '00:00:00', end_time: '00:00:01' }],
    }
    form.set('script', new Blob([JSON.stringify(script)]), 'script.json')
    t.match(await call('POST', `${session}/script`, form), [200])
    t.match(await call('POST', `/${caseId}/export`, { pseudonyms: false }), [200, { state_id: 1 }])
    place.startWorker({ QUEUE_URL: queue.url, QUEUE_PREFIX: queue.prefix })
    const show = async () => Object((await call('GET', `/${caseId}/export`))[1])
    await until('the export', show, ({ state_id: state }) => state === 3 || state === 4)
    const { size, state_id, missing } = await show()
    t.strictSame([state_id, missing], [3, 0])

    const link = async () => `${host.url}${Object((await call('POST', `/${caseId}/export/link`))[1]).path}`
    const address = await link()
    const whole = await fetch(address)
    const bytes = Buffer.from(await whole.arrayBuffer())
    t.match(whole, { status: 200 })
    t.equal(bytes.length, size)
    t.equal(whole.headers.get('content-type'), 'application/zip')
    t.equal(whole.headers.get('cache-control'), 'private, no-store')
    t.match(whole.headers.get('content-disposition'), /^attachment; filename="case-\d+-export-\d+\.zip"$/)
    const etag = whole.headers.get('etag') ?? ''
    const part = async (range: string, ifRange = etag) => {
      const response = await fetch(address, { headers: { range, 'if-range': ifRange } })
      return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
    }
    const [head, tail] = [await part('bytes=0-99'), await part('bytes=100-')]
    t.strictSame([head.status, tail.status], [206, 206])
    t.ok(Buffer.concat([head.bytes, tail.bytes]).equals(bytes), 'a download that broke off goes on')
    const before: Buffer[] = []
    const broken = get(address)
    for await (const bytes of (await once(broken, 'response'))[0]) {
      before.push(bytes)
      break
    }
    broken.destroy()
    const count = Buffer.concat(before).length
    t.ok(count > 0 && count < bytes.length, 'a connection breaks in the middle')
    const after = await part(`bytes=${count}-`)
    t.equal(after.status, 206)
    t.ok(Buffer.concat([...before, after.bytes]).equals(bytes), 'and the rest comes by another')
    t.equal((await part('bytes=100-', '"other"')).status, 200, 'of another file it begins again')
    t.equal((await part(`bytes=${size}-`)).status, 416)
    t.match(await fetch(address, { method: 'HEAD' }), { status: 200 })
    const gone = { status: 404 }
    t.match(await fetch(address.replace('export.zip', 'video.mp4')), gone, 'it opens nothing else')
    t.match(
      await fetch(address.replace(/.(?=\/export\.zip)/, (end) => (end === 'A' ? 'B' : 'A'))),
      gone,
      'it is signed',
    )

    const folder = await mkdtemp(join(tmpdir(), 'playtherapy-export-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    await writeFile(join(folder, 'export.zip'), bytes)
    await promisify(execFile)('unzip', ['-tqq', join(folder, 'export.zip')])
    const events = await sql`select action from audit_events where kind = 'export' and result = 0 order by id`
    const actions = new Set(events.map(({ action }) => action))
    t.ok(['export', 'read', 'link'].every((action) => actions.has(action)))

    t.match(await call('DELETE', session), [200, true])
    t.match(await fetch(address), gone, 'what was deleted is in it')
    const keys = async () => {
      const found: string[] = []
      for await (const { key } of store.list('export/')) found.push(key)
      return found
    }
    await until('the removal', keys, (found) => found.length === 0)
    const [erased] = await sql`select count(*)::int as keys from erased_keys`
    t.ok(erased?.keys >= 2, 'the receipt will name the script and the export')

    t.match(await call('POST', `/${caseId}/export`, {}), [200])
    await until('the export', show, ({ state_id: state }) => state === 3)
    const again = await link()
    t.match(await fetch(again), { status: 200 })
    await sql`update case_exports set expires_at = now()`
    t.match(await fetch(again), gone, 'its time is over')
    t.match(await fetch(again, { headers: { range: 'bytes=100-' } }), gone, 'also for who has a part of it')
    t.match(await call('POST', `/${caseId}/export/link`), [404])
    t.match(await call('GET', `/${caseId}/export`), [404])
  })
}
