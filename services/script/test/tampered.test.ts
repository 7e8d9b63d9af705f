import type { ObjectStore } from '@playtherapy/object-store'
import { scriptPages } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import t from 'tap'
import { form, record, saved, testScripts } from './support.ts'

const failed = { status: 400, body: { error_code: 1001, message: /^File \[script_v1.*\.json\] Download failed\.$/ } }

/** A store in which an object can be exchanged while its ETag stays. */
const deceived = (store: ObjectStore): ObjectStore => ({
  ...store,
  get: (key, { ifMatch, ...options } = {}) => store.get(key, options),
})

/** A script of about so many bytes. */
const script = (text: string, bytes = 0) =>
  JSON.stringify({ scripts: [{ ...record, text }], filling: ' '.repeat(bytes) })

for (const backend of storeBackends)
  t.test(`a script that was changed in the store is not used, in ${backend}`, async (t) => {
    const store = await testStore(t, backend)
    const { ask, db, host, objects, place, post } = await testScripts(t, deceived(store))
    t.same(await post(form(script('first'))), saved)
    const [key = ''] = await objects()
    await store.delete([key])
    await store.put(key, Buffer.from(script('other')), { contentType: 'application/json' })

    const ways = ['', '/versions/1', '.json', '.vtt', '.srt', '.txt', '.csv', '.xlsx', '/summary', '/changes?from=1']
    for (const path of ways) t.match(await ask('GET', path), failed, `GET ${path}`)
    t.match(await ask('POST', '/versions/1/restore'), failed, 'restore')
    const headers = { 'content-type': 'application/json-patch+json', 'if-match': '"1"' }
    t.match(await ask('PATCH', '', { body: '[]', headers }), failed, 'patch')
    const search = await fetch(`${host.url}/contents/api/case/${place.caseId}/script-search?keyword=other`, {
      headers: host.as(7),
    })
    t.match(await search.json(), { hits: [], unread: [place.sessionId] })
    t.equal(await db.$count(scriptPages), 0)
  })

t.test('the response of a large script that was changed in the store is cut off', async (t) => {
  const store = await testStore(t, 'file')
  const { objects, post, fetchScript } = await testScripts(t, deceived(store))
  const size = 4 * 1024 ** 2
  t.same(await post(form(script('first', size))), saved)
  t.equal((await (await fetchScript()).arrayBuffer()).byteLength, script('first', size).length)
  const [key = ''] = await objects()
  await store.delete([key])
  await store.put(key, Buffer.from(script('other', size)), { contentType: 'application/json' })
  const response = await fetchScript()
  await t.rejects(response.arrayBuffer())
})
