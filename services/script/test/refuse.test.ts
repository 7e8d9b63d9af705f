import { scriptVersions } from '@playtherapy/schema'
import { testStore } from '@playtherapy/testing'
import t from 'tap'
import { form, record, testScripts } from './support.ts'

t.test('an invalid script is refused with the place of each error, and stores nothing', async (t) => {
  const { db, post, get, objects, session } = await testScripts(t, await testStore(t, 'file'))
  const refused = async (content: string | Uint8Array, loc: (string | number)[], msg?: RegExp) => {
    const answer = await post(form(content))
    t.match(
      answer,
      { status: 422, body: { error_code: 8, detail: [{ loc, ...(msg && { msg }) }] } },
      String(content).slice(0, 60),
    )
  }
  const place = ['body', 'script']
  await refused('', place, /empty/)
  await refused('{"scripts":', place, /not valid JSON/)
  await refused('{"scripts":[]}]', place, /not valid JSON/)
  await refused(Buffer.from('{"scripts":[{"speaker":"T","text":"é"}]}', 'latin1'), place, /UTF-8/)
  await refused(Buffer.from('\ufeff{"scripts":[]}', 'utf16le'), place)
  await refused('[]', place)
  await refused('null', place)
  await refused('"scripts"', place)
  await refused('{}', [...place, 'scripts'])
  await refused('{"scripts":null}', [...place, 'scripts'])
  await refused('{"scripts":{"length":1}}', [...place, 'scripts'])
  await refused('{"__proto__":{"scripts":[]}}', place)
  await refused('{"scripts":[],"constructor":{"prototype":{"a":1}}}', place)
  await refused('{"scripts":[{"speaker":"T","text":"a\\u0000b"}]}', [...place, 'scripts', 0, 'text'])
  await refused('{"scripts":[{"speaker":"\\ud800","text":""}]}', [...place, 'scripts', 0, 'speaker'])
  await refused(`{"scripts":[],"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, place, /nested/)

  const records = [record, { text: 'a' }, { ...record, text: null }, null, [], 'T', { speaker: 1, text: {} }]
  const answer = await post(form(JSON.stringify({ scripts: records })))
  t.match(answer, { status: 422, body: { error_code: 8 } })
  t.same(
    answer.body.detail?.map(({ loc }) => loc.slice(3)),
    [[1, 'speaker'], [2, 'text'], [3], [4], [5], [6, 'speaker'], [6, 'text']],
  )
  const all = await post(form(JSON.stringify({ scripts: Array(5_000).fill({}) })))
  t.equal(all.body.detail?.length, 100, 'the list of faults is bounded')

  t.same(await db.select().from(scriptVersions), [])
  t.same(await objects(), [])
  t.match(await session(), { scriptStateId: 5, lastScriptVersion: 0 })
  t.match(await get(), { status: 400, body: { error_code: 6 } })
})

t.test('bodies without exactly one part named script are refused', async (t) => {
  const { db, post } = await testScripts(t, await testStore(t, 'file'))
  const two = form('{"scripts":[]}')
  two.append('script', new Blob(['{"scripts":[]}']), 'b.json')
  const other = form('{"scripts":[]}')
  other.append('note', 'x')
  const bodies: [string, string | FormData, string?][] = [
    ['a second part', two],
    ['another part too', other],
    ['only another part', form('{"scripts":[]}', 'file')],
    ['a part named like a method', form('{"scripts":[]}', 'toString')],
    ['no part', new FormData()],
    ['JSON', '{"scripts":[]}', 'application/json'],
    ['text', '{"scripts":[]}', 'text/plain'],
    ['no boundary', '{"scripts":[]}', 'multipart/form-data'],
    ['no such boundary', '{"scripts":[]}', 'multipart/form-data; boundary=x'],
    [
      'an end that is missing',
      '--x\r\ncontent-disposition: form-data; name="script"\r\n\r\n{"scripts":[]}',
      'multipart/form-data; boundary=x',
    ],
    [
      'a part without a name',
      '--x\r\ncontent-disposition: form-data\r\n\r\n{"scripts":[]}\r\n--x--\r\n',
      'multipart/form-data; boundary=x',
    ],
  ]
  for (const [what, body, type] of bodies) {
    const answer = await post(body, undefined, type ? { 'content-type': type } : {})
    t.match(answer, { status: 422, body: { error_code: 8, detail: [{ msg: String }] } }, what)
  }
  t.same(await db.select().from(scriptVersions), [])
})
