import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { seedSession } from '@playtherapy/testing'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { testServices } from './support.ts'

const therapist = 7

interface Answer {
  status: number
  text: string
}

/** What every refusal has to be; never a 5xx. */
function checkAnswer({ status, text }: Answer): void {
  if (status >= 500) throw new Error(`${status} ${text}`)
  if (status < 400) return
  const body: unknown = JSON.parse(text)
  const shaped =
    typeof body === 'object' &&
    body !== null &&
    'message' in body &&
    'error_code' in body &&
    typeof body.message === 'string' &&
    typeof body.error_code === 'number'
  if (!shaped) throw new Error(`no error body: ${text}`)
  if (status === 422 && !('detail' in body && Array.isArray(body.detail) && body.detail.length > 0)) {
    throw new Error(`no place named: ${text}`)
  }
}

async function prepare(t: Test, options: Parameters<typeof testServices>[2] = {}) {
  const services = await testServices(t, 'file', options)
  const { caseId, sessionId } = await seedSession(services.db, therapist)
  const root = '/contents/api'
  const send = (method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = request(services.url + path, {
        method,
        headers: {
          ...services.as(therapist),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
      })
      sent.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  const session = `${root}/case/${caseId}/session/${sessionId}`
  return { services, send, root, caseId, sessionId, session, one: `${root}/case/${caseId}` }
}

t.test('bodies that are no JSON, or no JSON that can be kept', async (t) => {
  const { send, root, one, session } = await prepare(t)
  const hostile: [string, string | Buffer, Record<string, string>?][] = [
    ['empty', ''],
    ['cut short', '{"given_name":"a"'],
    ['not JSON', 'given_name=a'],
    ['two values', '{} {}'],
    ['a NUL', '{"given_name":"a\\u0000b"}'],
    ['half a surrogate pair', '{"given_name":"\\ud800"}'],
    ['a NUL deep inside', '{"given_name":"a","description":{"a":[{"b":"\\u0000"}]}}'],
    ['a NUL in a key', '{"given_name":"a","description":{"a\\u0000":1}}'],
    ['100,000 lists', `{"given_name":"a","description":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`],
    ['100,000 objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['__proto__', '{"given_name":"a","__proto__":{"admin":true}}'],
    ['constructor.prototype', '{"given_name":"a","constructor":{"prototype":{"admin":true}}}'],
    ['10 MiB', JSON.stringify({ given_name: 'a', description: { note: 'x'.repeat(10 * 1024 ** 2) } })],
    ['17 KiB of description', JSON.stringify({ given_name: 'a', description: { note: 'x'.repeat(17 * 1024) } })],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from('{"given_name":"a"}', 'utf16le')],
    ['another charset', '{"given_name":"a"}', { 'content-type': 'application/json; charset=utf-16' }],
    ['another type', '{"given_name":"a"}', { 'content-type': 'text/plain' }],
    ['a form', 'given_name=a', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['no type that is one', '{"given_name":"a"}', { 'content-type': 'x' }],
    ['a list', '[]'],
    ['a text', '"a"'],
    ['null', 'null'],
    ['a number', '1e400'],
    ['a name that is a number', '{"given_name":5}'],
    ['a name of 10,000', JSON.stringify({ given_name: 'x'.repeat(10_000) })],
    ['a description that is a list', '{"given_name":"a","description":[]}'],
    ['a description that is text', '{"given_name":"a","description":"x"}'],
    ['state 4', '{"given_name":"a","case_state_id":4}'],
    ['state 0', '{"given_name":"a","case_state_id":0}'],
    ['state 1.5', '{"given_name":"a","case_state_id":1.5}'],
    ['state as text', '{"given_name":"a","case_state_id":"1"}'],
  ]
  for (const [name, body, headers] of hostile) {
    for (const [method, path] of [
      ['POST', `${root}/case`],
      ['PUT', one],
      ['POST', `${one}/session`],
      ['PUT', session],
    ] as const) {
      const answer = await send(method, path, body, headers)
      checkAnswer(answer)
      t.ok(answer.status >= 400 && answer.status < 500, `${method} ${name}: ${answer.status}`)
    }
  }
  t.match(await send('GET', `${root}/case/total-num`), { status: 200, text: '1' }, 'nothing was created')
})

t.test('ids and pages of every kind', async (t) => {
  const { send, root, one, caseId } = await prepare(t)
  const ids = [
    'NaN',
    'undefined',
    'null',
    '1.5',
    '1e3',
    '0x1',
    '%20',
    '-',
    '+1',
    '01',
    '2147483648',
    '9'.repeat(40),
    '%00',
    '..',
    "'",
    '1;drop table cases',
    '１',
  ]
  for (const id of ids) {
    for (const path of [
      `${root}/case/${id}`,
      `${root}/case/${id}/session/1`,
      `${one}/session/${id}`,
      `${one}/session/${id}/video`,
    ]) {
      const answer = await send('GET', path)
      checkAnswer(answer)
      t.ok([404, 422].includes(answer.status), `${path}: ${answer.status}`)
    }
  }
  for (const id of ['0', '-1', '2147483647', '-2147483648']) {
    t.match(await send('GET', `${root}/case/${id}`), {
      status: 400,
      text: `{"message":"Case ${id} not found","error_code":2}`,
    })
    t.match(await send('GET', `${one}/session/${id}`), {
      status: 400,
      text: `{"message":"Session ${id} not found","error_code":3}`,
    })
  }
  t.match(await send('GET', `${root}/case/%zz`), { status: 422 })

  const integers = ['-1', '2', '-9999999999999999999999', '99999999999999999999', '2147483648']
  for (const value of integers) {
    for (const query of [`skip=${value}`, `limit=${value}`, `skip=0&limit=${value}`, `skip=${value}&limit=${value}`]) {
      const answer = await send('GET', `${root}/case?${query}`)
      t.match(answer, { status: 400, text: /Invalid range .*"error_code":4/ }, query)
    }
  }
  for (const value of ['', 'abc', '1.5', '1e1', 'NaN', 'null', '0x1', '%00', '1%201', 'Infinity']) {
    for (const query of [`skip=${value}`, `limit=${value}`]) {
      const answer = await send('GET', `${one}/session?${query}`)
      checkAnswer(answer)
      t.equal(answer.status, 422, query)
    }
  }
  for (const query of ['skip=0&skip=0', 'limit=1&limit=1', 'keyword=a&keyword=b']) {
    t.equal((await send('GET', `${root}/case?${query}`)).status, 422, query)
  }
  for (const keyword of ['%00', '%ff', '%ed%a0%80', 'a'.repeat(5_000)]) {
    checkAnswer(await send('GET', `${root}/case?keyword=${keyword}`))
    checkAnswer(await send('GET', `${root}/case/total-num?keyword=${keyword}`))
    checkAnswer(await send('GET', `${one}/session?keyword=${keyword}`))
  }
  t.ok(caseId)
})

t.test('a hundred clients that never finish hold nobody up, and are cut in time', async (t) => {
  const { services, send, session } = await prepare(t, { bodyMs: 2_000 })
  const { hostname, port } = new URL(services.url)
  const token = services.as(therapist).authorization
  const beginnings = [
    `POST ${session}/video HTTP/1.1\r\nHost`,
    `POST ${session}/video HTTP/1.1\r\nHost: x\r\nAuthorization: ${token}\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999\r\n\r\n--x\r\n`,
    `PUT ${session} HTTP/1.1\r\nHost: x\r\nAuthorization: ${token}\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{`,
    '',
  ]
  const answers: Promise<string>[] = []
  const sockets = Array.from({ length: 100 }, (_, index) => {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    answers[index] = new Promise((resolve) => socket.once('data', (data) => resolve(String(data))))
    socket.write(beginnings[index % beginnings.length] ?? '')
    return socket
  })
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  for (let round = 0; round < 50; round++) t.equal((await send('GET', session)).status, 200)
  const ofBodies = answers.filter((_, index) => index % beginnings.length === 2)
  for (const answer of ofBodies) t.match(await answer, /^HTTP\/1\.1 408 [\s\S]*"error_code":8/)
  for (const socket of sockets) socket.destroy()
  t.strictSame([...(await services.sql`select id from videos where state <> 'failed'`)], [], 'and leave nothing')
})

t.test('what a client forges is ignored', async (t) => {
  const { send, services, root, one, session, sessionId, caseId } = await prepare(t)
  const other = await seedSession(services.db, 8)
  const forged = { id: other.caseId, user_id: 8, session_count: 99, start_date: '1999-01-01', updated_date: 5 }
  const created = await send('POST', `${root}/case`, JSON.stringify({ ...forged, given_name: 'new' }))
  t.match(JSON.parse(created.text), { user_id: therapist, session_count: 0 })
  t.not(JSON.parse(created.text).id, other.caseId)
  t.match(JSON.parse((await send('PUT', one, JSON.stringify({ ...forged, given_name: 'x' }))).text), {
    id: caseId,
    user_id: therapist,
  })
  const states = { encoding_state_id: 3, script_state_id: 3, analyze_state_id: 3, session_state_id: 5 }
  const urls = {
    source_video_url: 'LOCAL/1/1/1.mp4',
    source_script_url: 'x',
    origin_video_url: `LOCAL/${other.caseId}/${other.sessionId}/1.mp4`,
    encoding_video_url: '../../etc/passwd',
    analyze_url: 'x',
  }
  const data = { id: other.sessionId, case_id: other.caseId, name: 'x', created_date: '1999-01-01', ...states, ...urls }
  const before = JSON.parse((await send('GET', session)).text)
  t.strictSame(JSON.parse((await send('PUT', session, JSON.stringify({ data }))).text), { ...before, name: 'x' })
  t.equal(before.id, sessionId)
})

t.test('whatever is sent, the answer is a good one or a good refusal', async (t) => {
  const { send, root, one, session } = await prepare(t)
  let sent = 0
  const values = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(null, 0, -1, 2 ** 31, 1e308, '', 'undefined', '00:00:01', '\u0000', '\ud800', [], {}),
  )
  const names = [
    ...['id', 'given_name', 'family_name', 'description', 'user_id', 'case_state_id', 'data', 'name', 'video_length'],
    ...['origin_video_url', 'encoding_state_id', 'case_id', '__proto__', 'constructor', 'toString'],
  ]
  const entries = fc.array(fc.tuple(fc.constantFrom(...names), values), { maxLength: 6 })
  const objects = entries.map((pairs) => Object.fromEntries(pairs))
  const bodies = fc.oneof(
    objects,
    objects.map((data) => ({ data })),
    objects.map((rest) => ({ given_name: 'a', ...rest })),
    values,
  )
  const places = fc.constantFrom(['POST', `${root}/case`], ['PUT', one], ['POST', `${one}/session`], ['PUT', session])
  await fc.assert(
    fc.asyncProperty(places, bodies, async ([method = '', path = ''], body) => {
      checkAnswer(await send(method, path, JSON.stringify(body)))
      sent++
    }),
    { numRuns: 600 },
  )
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.integer().map(String),
    fc.constantFrom('', 'undefined', '%', '\\', '_', '0', '-0', '+1'),
  )
  const queries = fc.array(fc.tuple(fc.constantFrom('skip', 'limit', 'keyword', 'other'), texts), { maxLength: 4 })
  const lists = fc.constantFrom(`${root}/case`, `${root}/case/total-num`, `${one}/session`, `${one}/session/total-num`)
  await fc.assert(
    fc.asyncProperty(lists, queries, async (path, query) => {
      const text = query
        .map(([name, value]) => `${name}=${encodeURIComponent(Buffer.from(value).toString())}`)
        .join('&')
      checkAnswer(await send('GET', `${path}?${text}`))
      sent++
    }),
    { numRuns: 600 },
  )
  t.equal(sent, 1_200)
})
