import { reportVersions, State, scriptVersions, sessions } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { form, record, saved, testScripts } from './support.ts'

for (const backend of storeBackends)
  t.test(`a saved script, in ${backend}`, async (t) => {
    const { db, post, fetchScript, get, objects, place, session } = await testScripts(t, await testStore(t, backend))
    t.match(await get(), {
      status: 400,
      body: { error_code: 6, message: `No script found for session ID ${place.sessionId}` },
    })

    t.test('is returned byte by byte as it was sent', async (t) => {
      const sent = {
        'odd whitespace and key order': '\n{ "scripts" :\t[ {"text":"x","speaker":"C" } ]\r\n}  ',
        'a key twice': '{"scripts":[{"speaker":"T","text":"a","text":"b"}]}',
        'Korean, an emoji and escapes': `{"scripts":[${JSON.stringify(record)},{"speaker":"C","text":"\\u00e9🧸\\/"}]}`,
        'a byte order mark': '\ufeff{"scripts":[]}',
        'other keys': '{"v":1.0,"scripts":[{"speaker":"T","text":"","note":{"a":[1e2]},"confidence":0.10}],"by":null}',
        'numbers JSON keeps and JavaScript does not': '{"n":12345678901234567890.10,"scripts":[]}',
      }
      for (const [what, text] of Object.entries(sent)) {
        t.same(await post(form(text)), saved, what)
        const response = await fetchScript()
        const bytes = Buffer.from(await response.arrayBuffer())
        t.ok(bytes.equals(Buffer.from(text)), what)
        t.equal(response.headers.get('content-length'), String(bytes.length))
        t.match(response.headers.get('content-type'), /^application\/json\b/)
        t.match(response.headers.get('etag'), /^".+"$/)
      }
      const rows = await db.select().from(scriptVersions).orderBy(scriptVersions.version)
      t.same(
        rows.map((row) => [row.version, row.state, row.userId]),
        Object.keys(sent).map((_, index) => [index + 1, 'stored', 7]),
      )
      t.same((await objects()).length, Object.keys(sent).length, 'older versions stay')
    })

    t.test('makes its state DONE, and the analysis READY only if there was one', async (t) => {
      t.match(await session(), { scriptStateId: State.DONE, analyzeStateId: State.NONE })
      const { sessionId } = place
      const [report] = await db
        .insert(reportVersions)
        .values({ sessionId, version: 1, path: 'r1', size: 2, state: 'stored', etag: '"1"' })
        .returning()
      await db
        .update(sessions)
        .set({ reportVersionId: report?.id ?? 0, analyzeStateId: State.DONE })
        .where(eq(sessions.id, sessionId))
      t.same(await post(form('{"scripts":[]}')), saved)
      t.match(await session(), { scriptStateId: State.DONE, analyzeStateId: State.READY })
    })

    t.test('may be a plain field, and have any file name', async (t) => {
      const plain = new FormData()
      plain.append('script', '{"scripts":[{"speaker":"T","text":"é"}]}')
      t.same(await post(plain), saved)
      t.equal(await (await fetchScript()).text(), '{"scripts":[{"speaker":"T","text":"é"}]}')
      for (const name of ['../../../etc/passwd', 'script_v1.json', '지우.json', 'x'.repeat(5_000), '"\r\n']) {
        t.same(await post(form('{"scripts":[]}', 'script', name)), saved, name.slice(0, 20))
      }
      const key = new RegExp(`^script/LOCAL/${place.caseId}/${place.sessionId}/script_v\\d+-[0-9a-f]{32}\\.json$`)
      for (const object of await objects()) t.match(object, key)
    })

    t.test('keeps odd times, and records where they are', async (t) => {
      const odd = [
        { ...record, start_time: '', end_time: null },
        { speaker: 'C', text: '' },
        { ...record, start_time: 'Invalid Date', end_time: '1:02' },
        { ...record, start_time: 12, end_time: '00:61:00' },
      ]
      const text = JSON.stringify({ scripts: [...odd, ...Array(200).fill({ ...record, end_time: {} })] })
      t.same(await post(form(text)), saved)
      t.equal(await (await fetchScript()).text(), text)
      const rows = await db.select().from(scriptVersions).orderBy(scriptVersions.version)
      const warnings = rows.at(-1)?.warnings ?? []
      t.same(warnings.slice(0, 5), [
        { record: 2, field: 'start_time', kind: 'odd' },
        { record: 2, field: 'end_time', kind: 'odd' },
        { record: 3, field: 'start_time', kind: 'odd' },
        { record: 3, field: 'end_time', kind: 'odd' },
        { record: 4, field: 'end_time', kind: 'odd' },
      ])
      t.equal(warnings.length, 100)
      t.same(rows.at(-2)?.warnings, [])
    })
  })

for (const backend of storeBackends)
  t.test(`saves at the same moment get consecutive versions, and the highest is current, in ${backend}`, async (t) => {
    const { db, post, fetchScript, objects, session } = await testScripts(t, await testStore(t, backend))
    const texts = Array.from({ length: 20 }, (_, n) => JSON.stringify({ scripts: [{ ...record, text: `save ${n}` }] }))
    const answers = await Promise.all(texts.map((text) => post(form(text))))
    for (const answer of answers) t.same(answer, saved)
    const rows = await db.select().from(scriptVersions).orderBy(scriptVersions.version)
    t.same(
      rows.map((row) => row.version),
      Array.from({ length: 20 }, (_, n) => n + 1),
    )
    t.equal((await session())?.scriptVersionId, rows.at(-1)?.id)
    const served = new Set(texts)
    t.ok(served.has(await (await fetchScript()).text()))
    t.equal((await objects()).length, 20)
  })

t.test('of saves of the same script at the same moment, each has its event', async (t) => {
  const { db, post } = await testScripts(t, await testStore(t, 'file'))
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(form(JSON.stringify({ scripts: [record] })))))
  for (const answer of answers) t.same(answer, saved)
  const events = await db.execute(sql`select action from audit_events where kind = 'script'`)
  t.equal(events.length, 20)
  t.same(new Set(events.map(({ action }) => action)), new Set(['create', 'read']))
})

t.test('a slow save does not overtake a newer one', async (t) => {
  let slow: (() => void) | undefined
  const store = await testStore(t, 'file')
  const { post, fetchScript, objects } = await testScripts(t, {
    ...store,
    async put(key, body, options) {
      if (key.includes('_v1-')) await new Promise<void>((resolve) => (slow = resolve))
      return store.put(key, body, options)
    },
  })
  const first = post(form('{"scripts":[],"n":1}'))
  while (!slow) await new Promise(setImmediate)
  t.same(await post(form('{"scripts":[],"n":2}')), saved)
  slow()
  t.same(await first, saved)
  t.equal(await (await fetchScript()).text(), '{"scripts":[],"n":2}')
  t.equal((await objects()).length, 2)
})

for (const backend of storeBackends)
  t.test(`scripts up to the largest size are saved, in ${backend}`, async (t) => {
    const { post, fetchScript, objects } = await testScripts(t, await testStore(t, backend))
    const limit = 20 * 1024 ** 2
    const many = { scripts: Array.from({ length: 100_000 }, () => ({ ...record, text: '가'.repeat(35) })) }
    const text = Buffer.from(JSON.stringify(many))
    const whole = Buffer.alloc(limit, ' ')
    text.copy(whole)
    t.same(await post(form(whole)), saved)
    t.ok(Buffer.from(await (await fetchScript()).arrayBuffer()).equals(whole))
    const tooLarge = { status: 413, body: { error_code: 9, message: /20971520/ } }
    t.match(await post(form(Buffer.alloc(limit + 1, ' '))), tooLarge)
    t.match(await post(form(Buffer.alloc(limit + 200_000, ' '))), tooLarge, 'refused by its announced length')
    many.scripts.push({ ...record, text: '' })
    t.match(await post(form(JSON.stringify({ scripts: Array(100_001).fill({ speaker: 'T', text: '' }) }))), {
      status: 422,
      body: { error_code: 8, detail: [{ loc: ['body', 'script', 'scripts'], msg: /100000/ }] },
    })
    t.equal((await objects()).length, 1)
  })
