import { createHash } from 'node:crypto'
import { scriptVersions, sessions } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { form, record, saved, testScripts } from './support.ts'

const script = (...texts: string[]) => JSON.stringify({ scripts: texts.map((text) => ({ ...record, text })) })

for (const backend of storeBackends)
  t.test(`every save makes a version that stays, in ${backend}`, async (t) => {
    const { db, ask, place, post } = await testScripts(t, await testStore(t, backend))
    t.same((await ask('GET', '/versions')).body, [])
    const texts = [script('one'), script('one', 'two'), script('2', 'three')]
    for (const text of texts) t.same(await post(form(text)), saved)

    const list = await ask('GET', '/versions')
    t.match(
      list.body,
      [3, 2, 1].map((version) => ({
        version,
        user_id: 7,
        size: texts[version - 1]?.length,
        checksum: createHash('sha256')
          .update(texts[version - 1] ?? '')
          .digest('hex'),
        created_at: /^\d{4}-\d\d-\d\dT/,
        warnings: [],
      })),
    )
    for (const [index, text] of texts.entries()) {
      const one = await ask('GET', `/versions/${index + 1}`)
      t.equal(one.text, text)
      t.match(one.headers, { etag: `"${index + 1}"`, 'script-version': `${index + 1}` })
    }
    t.match((await ask('GET', '/versions?before=3')).body, [{ version: 2 }, { version: 1 }])
    t.same((await ask('GET', '/versions?before=1')).body, [])
    t.match(await ask('GET', '/versions?before=x'), { status: 422, body: { error_code: 8 } })
    t.match(await ask('GET', '/versions/4'), { status: 400, body: { error_code: 6 } })
    for (const wrong of ['0', '-1', '1e1', 'x', '9999999999'])
      t.match(await ask('GET', `/versions/${wrong}`), { status: 422, body: { error_code: 8 } }, wrong)

    t.test('a second save of the same bytes makes no version', async (t) => {
      t.same(await post(form(texts[2] ?? '')), saved)
      await Promise.all(Array.from({ length: 5 }, () => post(form(texts[2] ?? ''))))
      t.equal((await db.select().from(scriptVersions)).length, 3)
      t.match(await ask('GET', ''), { text: texts[2], headers: { etag: '"3"' } })
    })

    t.test('saves of the same bytes at the same moment make one version', async (t) => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => post(form(script('at once')))))
      for (const answer of answers) t.same(answer, saved)
      const stored = await db.select().from(scriptVersions)
      t.equal(stored.length, 4, 'none is left pending')
      t.same((await ask('GET', '/versions')).body.length, 4)
    })

    t.test('an older version is restored as a new one', async (t) => {
      const current = (await ask('GET', '')).headers.etag
      const restored = await ask('POST', '/versions/1/restore', { headers: { 'if-match': String(current) } })
      t.equal(restored.status, 200)
      const { version } = restored.body
      t.ok(version > 4)
      t.match(restored.headers, { etag: `"${version}"`, 'script-version': `${version}` })
      t.match(await ask('GET', ''), { text: texts[0], headers: { etag: `"${version}"` } })
      const typed = { headers: { 'content-type': 'application/json' } }
      const again = await ask('POST', '/versions/1/restore', typed)
      t.match(again, { status: 200, body: { version } }, 'nothing to bring back, and a type without a body')
      t.match(await ask('POST', '/versions/2/restore', { headers: { 'if-match': '"1"' } }), {
        status: 412,
        body: { error_code: 11, current_version: version },
      })
      t.match(await ask('POST', '/versions/99/restore'), { status: 400, body: { error_code: 6 } })
    })

    t.test('two versions are compared record by record', async (t) => {
      t.match((await ask('GET', '/changes?from=1&to=2')).body, {
        counts: { same: 1, added: 1, removed: 0 },
        changes: [{ kinds: ['added'], after: { index: 1, record: { text: 'two' } } }],
      })
      t.match((await ask('GET', '/changes?from=2&to=1')).body, { counts: { same: 1, added: 0, removed: 1 } })
      t.match((await ask('GET', '/changes?from=1')).body, { counts: { same: 1 }, changes: [] }, 'with the newest')
      t.match(await ask('GET', '/changes?from=1&to=77'), { status: 400, body: { error_code: 6 } })
      for (const query of ['', '?from=0', '?from=1&to=x', '?to=1', '?from=1&from=2'])
        t.match(await ask('GET', `/changes${query}`), { status: 422, body: { error_code: 8 } }, query)
    })

    t.test('no other therapist reads or changes them', async (t) => {
      const before = await db.select().from(scriptVersions)
      const routes = [
        ['GET', '/versions'],
        ['GET', '/versions/1'],
        ['GET', '/versions/1.vtt'],
        ['GET', '/changes?from=1&to=2'],
        ['GET', '/summary'],
        ['GET', '.csv'],
        ['POST', '/versions/1/restore'],
        ['POST', '/import'],
        ['PATCH', ''],
      ] as const
      for (const [method, path] of routes) {
        t.match(await ask(method, path, { userId: 8 }), { status: 400, body: { error_code: 2 } }, `${method} ${path}`)
        const none = await ask(method, path, { headers: { authorization: 'Bearer undefined' } })
        t.match(none, { status: 401, body: { error_code: 0 } }, `${method} ${path}`)
      }
      t.same(await db.select().from(scriptVersions), before)
      t.ok(place.sessionId)
    })
  })

t.test('a version from before checksums and kinds is listed, and can be replaced', async (t) => {
  const store = await testStore(t, 'file')
  const { db, ask, place, post } = await testScripts(t, store)
  const path = `LOCAL/${place.caseId}/${place.sessionId}/script_v1.json`
  async function* bytes() {
    yield Buffer.from(script('one'))
  }
  const { etag } = await store.put(`script/${path}`, bytes(), { contentType: 'application/json' })
  const old = { sessionId: place.sessionId, version: 1, userId: 7, path, size: script('one').length, etag }
  const [row] = await db
    .insert(scriptVersions)
    .values({ ...old, state: 'stored', warnings: [{ record: 0, field: 'end_time' }] })
    .returning()
  await db
    .update(sessions)
    .set({ scriptVersionId: row?.id ?? 0, lastScriptVersion: 1 })
    .where(eq(sessions.id, place.sessionId))
  t.match((await ask('GET', '/versions')).body, [{ checksum: null, warnings: [{ kind: 'odd' }] }])
  t.match(await ask('GET', '.txt'), { status: 200, headers: { etag: 'W/"1-txt"' } })
  t.same(await post(form(script('one'))), saved)
  t.match((await ask('GET', '')).headers, { etag: '"2"' })
})

t.test('doubtful times are kept, and listed with the version', async (t) => {
  const { db, ask, place, post } = await testScripts(t, await testStore(t, 'file'))
  await db.update(sessions).set({ videoLength: '00:01:00' }).where(eq(sessions.id, place.sessionId))
  const scripts = [
    { start_time: '00:00:10', end_time: '00:00:12', speaker: 'T', text: 'a' },
    { start_time: '00:00:05', end_time: '00:00:04', speaker: 'T', text: 'b' },
    { start_time: 'Invalid Date', end_time: '', speaker: 'C', text: 'c' },
    { start_time: '00:00:59', end_time: '00:01:02', speaker: 'C', text: 'd' },
  ]
  const text = JSON.stringify({ scripts })
  t.same(await post(form(text)), saved)
  t.equal((await ask('GET', '')).text, text)
  t.same((await ask('GET', '/versions')).body[0].warnings, [
    { record: 1, field: 'start_time', kind: 'order' },
    { record: 1, field: 'end_time', kind: 'order' },
    { record: 2, field: 'start_time', kind: 'odd' },
    { record: 3, field: 'end_time', kind: 'beyond' },
  ])
})

t.test('the summary counts the newest version', async (t) => {
  const { ask, post } = await testScripts(t, await testStore(t, 'file'))
  t.match(await ask('GET', '/summary'), { status: 400, body: { error_code: 6 } })
  const scripts = [
    { start_time: '00:00:00', end_time: '00:00:02', speaker: 'T', text: 'What is it?' },
    { start_time: '00:00:06', end_time: '00:00:07', speaker: 'C', text: '집 이요' },
  ]
  t.same(await post(form(JSON.stringify({ scripts }))), saved)
  t.match((await ask('GET', '/summary')).body, {
    utterances: 2,
    words: 5,
    turns: 2,
    speakers: [
      { speaker: 'T', role: 'therapist', words: 3, questions: 1, talk_ms: 2000 },
      { speaker: 'C', role: 'child', words: 2, responses: { count: 1, mean_ms: 4000 } },
    ],
    silences: { count: 1, total_ms: 4000, longest_ms: 4000 },
  })
})

t.test('the largest versions are compared', async (t) => {
  const { ask, post } = await testScripts(t, await testStore(t, 'file'))
  for (const text of ['a', 'b']) {
    const large = Buffer.alloc(20 * 1024 ** 2, ' ')
    large.write(JSON.stringify({ scripts: [{ ...record, text }] }))
    t.equal((await post(form(large))).status, 200)
  }
  t.match(await ask('GET', '/changes?from=1'), { status: 200, body: { counts: { text: 1 } } })
})
