import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { scriptVersions } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import t from 'tap'
import { form, type Place, record, saved, testScripts } from './support.ts'

const script = (...texts: string[]) => JSON.stringify({ scripts: texts.map((text) => ({ ...record, text })) })
const patchType = { 'content-type': 'application/json-patch+json' }

t.test('a save with If-Match replaces only the version that it names', async (t) => {
  const { ask, objects, post, place } = await testScripts(t, await testStore(t, 'file'))
  const stale = (current_version: number) => ({ status: 412, body: { error_code: 11, current_version } })
  for (const none of ['"1"', '*', '1', ''])
    t.match(await post(form(script('x')), place, { 'if-match': none }), stale(0), `nothing to match ${none}`)
  t.same(await post(form(script('one')), place, { 'if-none-match': '*' }), saved)
  t.match(await post(form(script('again')), place, { 'if-none-match': '*' }), stale(1))

  const { etag = '' } = (await ask('GET', '')).headers
  t.same(await post(form(script('two')), place, { 'if-match': etag }), saved)
  const late = await ask('POST', '', { body: form(script('late')), headers: { 'if-match': etag } })
  t.match(late, { ...stale(2), body: { message: /version 2/ } })
  t.notOk(late.headers.etag, 'the refusal is no version')
  for (const header of ['W/"2"', '2', '"22"', '"2-vtt"', 'anything'])
    t.match(await post(form(script('x')), place, { 'if-match': header }), stale(2), header)
  t.same(await post(form(script('three')), place, { 'if-match': '"7", "2"' }), saved)
  t.same(await post(form(script('four')), place, { 'if-match': '*' }), saved)
  t.match(await post(form('{'), place, { 'if-match': '"1"' }), { status: 422 }, 'what is no script is told first')
  t.same(await post(form(script('five'))), saved, 'without it everything is as it was')
  t.equal((await objects()).length, 5)
})

t.test('a slow save is compared with the version that is current when it ends', async (t) => {
  const { host, post, urlOf, place } = await testScripts(t, await testStore(t, 'file'))
  t.same(await post(form(script('one'))), saved)
  const sent = new Response(form(script('one')))
  const bytes = Buffer.from(await sent.arrayBuffer())
  const headers = { ...host.as(7), 'content-type': sent.headers.get('content-type') ?? '', 'if-match': '"1"' }
  const slow = request(urlOf(place), { method: 'POST', headers: { ...headers, 'content-length': bytes.length } })
  const answered = once(slow, 'response')
  slow.write(bytes.subarray(0, 100))
  await sleep(200)
  t.same(await post(form(script('two'))), saved)
  slow.end(bytes.subarray(100))
  const [answer]: IncomingMessage[] = await answered
  t.equal(answer?.statusCode, 412, 'the bytes of version 1, after version 2')
  answer?.resume()
})

t.test('a client that has the version already gets 304', async (t) => {
  const { ask, post } = await testScripts(t, await testStore(t, 'file'))
  t.same(await post(form(script('one'))), saved)
  for (const header of ['"1"', 'W/"1"', '"0", "1"', '*']) {
    const answer = await ask('GET', '', { headers: { 'if-none-match': header } })
    t.match(answer, { status: 304, text: '', headers: { etag: '"1"' } }, header)
  }
  t.match(await ask('GET', '', { headers: { 'if-none-match': '"1-vtt"' } }), { status: 200 })
  t.match(await ask('GET', '', { headers: { 'if-match': '"1"' } }), { status: 200 })
  t.match(await ask('GET', '', { headers: { 'if-match': '*' } }), { status: 200 })
  t.match(await ask('GET', '', { headers: { 'if-match': '"2"' } }), { status: 412, body: { error_code: 11 } })
  t.match(
    await ask('GET', '.vtt', { headers: { 'if-match': '"1-vtt"' } }),
    { status: 412 },
    'a weak tag names no bytes',
  )
  t.match(await ask('GET', '.vtt', { headers: { 'if-none-match': '"1-vtt"' } }), { status: 304 })
  t.match(await ask('GET', '', { headers: { 'if-none-match': '"1"', accept: 'text/vtt' } }), { status: 200 })
})

t.test('the API document describes versions and conditions', async (t) => {
  const { host } = await testScripts(t, await testStore(t, 'file'))
  const { paths } = Object(await (await fetch(`${host.url}/documentation/json`)).json())
  const at = (path: string) => paths[`/contents/api/case/{case_id}/session/{session_id}/script${path}`]
  const headers = { etag: { schema: { type: 'string' } }, 'script-version': { schema: { type: 'integer' } } }
  const takes = (parameters: { name: string }[], wanted: string) => parameters.some(({ name }) => name === wanted)
  for (const path of ['', '.json', '.vtt', '/versions/{version}', '/versions/{version}.xlsx']) {
    const { parameters, responses } = at(path).get
    t.match(responses, { 200: { headers }, 304: { headers } }, path)
    t.ok(takes(parameters, 'if-none-match'), path)
  }
  for (const { parameters, responses } of [
    at('').post,
    at('').patch,
    at('/import').post,
    at('/versions/{version}/restore').post,
  ]) {
    t.match(responses[200], { headers })
    t.notOk(responses[200].content['application/json'].schema.headers, 'which are no part of the body')
    t.ok(takes(parameters, 'if-match'))
  }
})

t.test('of two saves at the same moment neither is lost, a thousand times', async (t) => {
  const { addSession, db, ask, place, post } = await testScripts(t, await testStore(t, 'file'))
  const rounds = 125
  const wrong: unknown[] = []

  /** Two unconditional saves make two versions that follow one another; of two conditional ones exactly one does. */
  const contend = async (at: Place, conditional: boolean) => {
    let version = 0
    for (let round = 0; round < rounds; round++) {
      const headers: Record<string, string> = {}
      if (conditional && version > 0) headers['if-match'] = `"${version}"`
      if (conditional && version === 0) headers['if-none-match'] = '*'
      const save = (who: string) => ask('POST', '', { at, headers, body: form(script(`${round} ${who}`)) })
      const answers = await Promise.all([save('a'), save('b')])
      const made = answers
        .filter(({ status }) => status === 200)
        .map(({ headers }) => Number(headers['script-version']))
      const refused = answers.filter(({ status, body }) => status === 412 && body.error_code === 11)
      const newest = (await ask('GET', '', { at })).headers['script-version']
      made.sort((a, b) => a - b)
      const right = conditional
        ? made.length === 1 && refused.length === 1 && made[0] === Number(newest)
        : made.length === 2 && made[1] === (made[0] ?? 0) + 1 && made[1] === Number(newest)
      if (!right) wrong.push({ conditional, round, newest, statuses: answers.map(({ status }) => status), made })
      version = Number(newest)
    }
  }
  const others = await Promise.all(Array.from({ length: 7 }, () => addSession(7)))
  await Promise.all([place, ...others].map((at, index) => contend(at, index % 2 === 0)))
  t.same(wrong, [])
  const rows = await db.select().from(scriptVersions)
  t.equal(rows.length, (8 / 2) * rounds * 3)
  t.ok(rows.every(({ state }) => state === 'stored'))
  t.same(await post(form('{"scripts":[]}')), saved)
})

for (const backend of storeBackends)
  t.test(`a patch changes the version it names, in ${backend}`, async (t) => {
    const { ask, objects, post } = await testScripts(t, await testStore(t, backend))
    const patch = (operations: unknown, headers: Record<string, string> = { 'if-match': '"1"' }) =>
      ask('PATCH', '', { body: JSON.stringify(operations), headers: { ...patchType, ...headers } })
    const text = { op: 'replace', path: '/scripts/0/text', value: '고쳤어요' }
    t.match(await patch([text]), { status: 400, body: { error_code: 6 } })
    t.same(await post(form('{"by":{"kept":1},"scripts":[{"speaker":"C","text":"a","note":[1]}]}')), saved)

    t.match(await patch([text], {}), { status: 428, body: { error_code: 12 } })
    const invalid = { status: 422, body: { error_code: 8 } }
    t.match(await patch([{ op: 'test', path: '/scripts/0/text', value: 'b' }, text]), invalid, 'a test that fails')
    t.match(await patch([text, { op: 'remove', path: '/scripts/9' }]), invalid, 'all or none')
    t.match(await patch([{ op: 'remove', path: '/scripts' }]), invalid, 'what is left is no script')
    t.match(await patch([{ op: 'replace', path: '/scripts/0/text', value: null }]), invalid)
    t.match(await patch([{ op: 'grow', path: '/scripts' }]), invalid)
    t.match(await patch({}), invalid)
    t.match(await patch(Array(1001).fill(text)), invalid)
    t.match(await ask('PATCH', '', { body: '[', headers: { ...patchType, 'if-match': '"1"' } }), invalid)
    t.equal((await objects()).length, 1, 'nothing was kept of these')

    const add = { op: 'add', path: '/scripts/-', value: { ...record, text: '끝' } }
    const done = await patch([text, add])
    t.match(done, { status: 200, body: { version: 2 }, headers: { etag: '"2"' } })
    t.same((await ask('GET', '')).body, {
      by: { kept: 1 },
      scripts: [
        { speaker: 'C', text: '고쳤어요', note: [1] },
        { ...record, text: '끝' },
      ],
    })
    t.match(await patch([text]), { status: 412, body: { error_code: 11, current_version: 2 } })
    t.match(await patch([], { 'if-match': '*' }), { status: 200, body: { version: 2 } }, 'no change, no version')
    const both = await Promise.all(['x', 'y'].map((value) => patch([{ ...text, value }], { 'if-match': '*' })))
    const statuses = both.map(({ status }) => status).sort()
    t.ok(
      statuses[0] === 200 && [200, 412].includes(statuses[1] ?? 0),
      'made for one version, it never falls on another',
    )
  })

t.test('a patch answers for what it brings, not for what the script held before', async (t) => {
  const { ask, post } = await testScripts(t, await testStore(t, 'file'))
  const text = 'x'.repeat(5_000_000)
  t.same(await post(form(`{"id":9007199254740993,"id":[1e400],"scripts":[{"speaker":"T","text":"${text}"}]}`)), saved)
  const headers = { ...patchType, 'if-match': '*' }
  const patch = (value: string) =>
    ask('PATCH', '', { headers, body: `[{"op":"replace","path":"/scripts/0/note","value":${value}}]` })
  const body = '[{"op":"add","path":"/scripts/0/note","value":1},{"op":"replace","path":"/id","value":"1"}]'
  t.match(await ask('PATCH', '', { headers, body }), { status: 200, body: { version: 2 } })
  const loc = ['body', 0, 'value', 'n']
  t.match(await patch('{"n":9007199254740993}'), { status: 422, body: { error_code: 8, detail: [{ loc }] } })
  t.match(await patch(`"${'y'.repeat(900_000)}"`), { status: 200, body: { version: 3 } })
})

t.test('the result of a patch has the bounds of a script', async (t) => {
  const { ask, post } = await testScripts(t, await testStore(t, 'file'))
  const text = 'x'.repeat(1_000_000)
  t.same(await post(form(JSON.stringify({ scripts: Array(18).fill({ speaker: 'T', text }) }))), saved)
  const copies = Array(4).fill({ op: 'copy', from: '/scripts/0', path: '/scripts/-' })
  const body = JSON.stringify(copies)
  t.match(await ask('PATCH', '', { body, headers: { ...patchType, 'if-match': '"1"' } }), {
    status: 413,
    body: { error_code: 9 },
  })
  const steps = (count: number) => '/x'.repeat(count)
  const deep = [{ op: 'add', path: '/x', value: {} }]
  for (let depth = 1; depth < 250; depth++) deep.push({ op: 'add', path: steps(depth + 1), value: {} })
  const deeper = Array.from({ length: 120 }, () => ({ op: 'copy', from: '/x', path: steps(250) }))
  for (const patch of [deep, [...deep, ...deeper]]) {
    const request = { headers: { ...patchType, 'if-match': '*' }, body: JSON.stringify(patch) }
    t.match(await ask('PATCH', '', request), { status: 422, body: { detail: [{ loc: ['body'] }] } })
  }
})
