import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import { reportVersions, sessions } from '@playtherapy/schema'
import { testHost } from '@playtherapy/testing'
import t from 'tap'
import { contentsApp } from '../src/app.ts'
import { type Contents, contents, invalid } from './support.ts'

const token = [401, { message: 'access token is invalid', error_code: 0 }]
const accepted = [200, { msg: 'analyze report upload success!' }]

const interaction = { C1: '무서워요.', T1: '무서웠구나.', TF: 'T', Description: 'Named at once.' }
const report = { category: 'Emotion Reflection', descriptions: 'Often.', interactions: [interaction], level: 4 }
const reports = (more = {}) => ({ reports: { 'Emotion Reflection': { ...report, ...more } } })

/** The claims of the analysis system's token. */
const writer = { scope: 'reports:write' }

async function withSession(service: Contents) {
  const caseId = await service.newCase(7)
  const sessionId = await service.newSession(7, caseId)
  const session = `/${caseId}/session/${sessionId}`
  const path = `${session}/analyze-report`
  const deliver = (body: unknown) => service.call(service.host.withClaims(writer), 'POST', path, body)
  const fetched = (headers = {}) =>
    fetch(`${service.host.url}/contents/api/case${path}`, { headers: { ...service.host.as(7), ...headers } })
  return { ...service, caseId, sessionId, session, path, deliver, fetched }
}

t.test('a report is served as it was sent', async (t) => {
  const { db, store, call, caseId, sessionId, session, path, deliver, fetched } = await withSession(await contents(t))
  const none = [400, { message: `No analyze report found for session ID ${sessionId}`, error_code: 7 }]
  t.strictSame(await call(7, 'GET', path), none)
  const sent = `\n{ "reports" : {"음성": ${JSON.stringify({ ...report, more: 1 })}},  "model": "m", "n": 1.0 }\n`
  t.strictSame(await deliver(sent), accepted)
  const response = await fetched()
  t.equal(response.status, 200)
  t.equal(await response.text(), sent)
  const [row] = await db.select().from(reportVersions)
  const key = row?.path ?? ''
  t.match(key, new RegExp(`^LOCAL/${caseId}/${sessionId}/analyze_report_v1-[0-9a-f]{32}\\.json$`))
  const stored = await store.head(inFolder('analyze_report', key))
  t.match(Object.fromEntries(response.headers), {
    'content-type': /^application\/json/,
    'content-length': `${Buffer.byteLength(sent)}`,
    etag: stored?.etag,
  })
  t.match(await call(7, 'GET', session), [200, { analyze_url: key, analyze_state_id: 3 }])
  const conditions: [number, Record<string, string>][] = [
    [200, { 'if-match': stored?.etag ?? '' }],
    [412, { 'if-match': '"other"' }],
    [304, { 'if-none-match': stored?.etag ?? '' }],
    [200, { 'if-none-match': '"other"' }],
  ]
  for (const [status, headers] of conditions) t.equal((await fetched(headers)).status, status, JSON.stringify(headers))

  t.strictSame(await deliver(reports({ level: -1, interactions: [] })), accepted)
  t.strictSame(await call(7, 'GET', path), [200, reports({ level: -1, interactions: [] })], 'the newest counts')
  t.match(await call(7, 'GET', session), [
    200,
    { analyze_url: /analyze_report_v2-[0-9a-f]{32}\.json$/, analyze_state_id: 3 },
  ])
  t.match(await db.select().from(reportVersions).orderBy(reportVersions.id), [
    { version: 1, state: 'stored', size: Buffer.byteLength(sent) },
    { version: 2, state: 'stored' },
  ])
  t.strictSame(await deliver({ reports: {} }), accepted)
})

t.test('a byte order mark is served, too', async (t) => {
  const { deliver, fetched } = await withSession(await contents(t))
  const sent = Buffer.from(`\ufeff${JSON.stringify(reports())}`)
  t.strictSame(await deliver(sent), accepted)
  t.same(Buffer.from(await (await fetched()).arrayBuffer()), sent)
})

t.test('only the analysis system delivers reports, and only therapists read them', async (t) => {
  const { db, host, call, caseId, sessionId, path, newCase, newSession } = await withSession(await contents(t))
  for (const who of [
    {},
    { authorization: 'Bearer undefined' },
    host.as(7),
    host.withClaims({}),
    host.withClaims({ scope: 'reports:read' }),
    host.withClaims({ scope: 'reports:writer' }),
    host.withClaims({ ...writer, user_id: 7 }),
    host.withClaims({ ...writer, user_id: null }),
    host.withClaims({ ...writer, exp: 1 }),
    host.withClaims({ ...writer, exp: undefined }),
  ]) {
    t.strictSame(await call(who, 'POST', path, reports()), token)
  }
  t.equal(await db.$count(reportVersions), 0)
  for (const [method, other] of [
    ['GET', path],
    ['GET', ''],
    ['GET', `/${caseId}`],
    ['DELETE', `/${caseId}`],
    ['GET', `/${caseId}/session/${sessionId}`],
  ] as const) {
    t.strictSame(await call(host.withClaims(writer), method, other), token, 'its token opens nothing else')
  }
  for (const scope of ['other reports:write', ['reports:write']]) {
    t.strictSame(await call(host.withClaims({ scope }), 'POST', path, reports()), accepted)
  }
  const foreign = await newCase(8)
  t.match(await call(8, 'GET', path), [400, { error_code: 2 }])
  t.match(await call(8, 'GET', `/${foreign}/session/${sessionId}/analyze-report`), [400, { error_code: 3 }])
  const second = await newCase(7)
  t.match(await call(7, 'GET', `/${second}/session/${sessionId}/analyze-report`), [400, { error_code: 3 }])
  const without = await newSession(8, foreign)
  t.match(await call(8, 'GET', `/${foreign}/session/${without}/analyze-report`), [400, { error_code: 7 }])
  const post = (to: string, body: unknown = reports()) =>
    call(host.withClaims(writer), 'POST', `${to}/analyze-report`, body)
  t.match(await post(`/${caseId}/session/2000000000`, '{'), [400, { error_code: 3 }])
  t.match(await post(`/2000000000/session/${sessionId}`, '{'), [400, { error_code: 2 }])
  t.match(await post(`/${second}/session/${sessionId}`), [400, { error_code: 3 }])
  t.match(await post(`/${caseId}/session/NaN`), invalid(['path', 'session_id']))
  t.match(await call(7, 'GET', `/${caseId}/session/1e3/analyze-report`), invalid(['path', 'session_id']))
})

t.test('an invalid report is refused', async (t) => {
  const { db, session, call, deliver } = await withSession(await contents(t))
  const inside = (...loc: (string | number)[]) => invalid(['body', 'reports', 'Emotion Reflection', ...loc])
  for (const body of ['', '{', 'null', '[]', '"x"', '{"reports":{},"__proto__":1}', Buffer.from([0x7b, 0xff, 0x7d])]) {
    t.match(await deliver(body), invalid(['body']), `${body}`)
  }
  t.match(await deliver({}), invalid(['body', 'reports']))
  for (const wrong of [null, [], 'x']) t.match(await deliver({ reports: wrong }), invalid(['body', 'reports']))
  t.match(await deliver({ reports: { 'Emotion Reflection': [] } }), inside())
  for (const key of ['category', 'descriptions', 'interactions', 'level']) {
    t.match(await deliver(reports({ [key]: undefined })), inside(key))
    t.match(await deliver(reports({ [key]: null })), inside(key))
    t.match(await deliver(reports({ [key]: {} })), inside(key))
  }
  for (const level of [-2, 5, 1.5, '4']) t.match(await deliver(reports({ level })), inside('level'))
  t.match(await deliver(reports({ interactions: [interaction, 'x'] })), inside('interactions', 1))
  t.match(await deliver(reports({ interactions: [{ C1: 'one entry breaks the page' }] })), inside('interactions', 0))
  t.match(await deliver(reports({ descriptions: 'a\0b' })), inside('descriptions'))
  const many = Array.from({ length: 10_001 }, () => ({ C1: '', T1: '' }))
  t.match(await deliver(reports({ interactions: many })), inside('interactions'))
  const numbers = (count: number) => JSON.stringify(reports()).replace('[', `[${'1,'.repeat(count)}`)
  t.match(await deliver(numbers(90_000)), inside('interactions'), 'one error for all of them')
  t.match(await deliver(numbers(900_000)), invalid(['body']), 'more values than are parsed')
  const names = Array.from({ length: 101 }, (_, n) => [`report ${n}`, report])
  t.match(await deliver({ reports: Object.fromEntries(names) }), invalid(['body', 'reports']))
  t.match(await deliver({ ...reports(), padding: 'x'.repeat(5 * 1024 ** 2) }), [413, { error_code: 9 }])
  t.equal(await db.$count(reportVersions), 0)
  t.match(await call(7, 'GET', session), [200, { analyze_url: null, analyze_state_id: 5 }])
  t.strictSame(await deliver({ ...reports(), padding: 'x'.repeat(5 * 1024 ** 2 - 1_000) }), accepted, 'just below')
})

t.test('ten concurrent deliveries get the versions 1 to 10, and the highest is current', async (t) => {
  const { db, call, path, session, deliver } = await withSession(await contents(t))
  const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => deliver(reports({ descriptions: `${n}` }))))
  for (const answer of answers) t.strictSame(answer, accepted)
  const rows = await db.select().from(reportVersions).orderBy(reportVersions.version)
  t.same(
    rows.map(({ version, state }) => [version, state]),
    Array.from({ length: 10 }, (_, n) => [n + 1, 'stored']),
  )
  t.match(await call(7, 'GET', session), [200, { analyze_url: rows.at(-1)?.path }])
  t.equal((await call(7, 'GET', path))[0], 200)
})

/** Starts the service on a store of which some calls are replaced. */
async function failing(t: Parameters<typeof contents>[0], broken: (whole: ObjectStore) => Partial<ObjectStore>) {
  const service = await contents(t)
  const { as, store } = service
  const options = { db: as('contents'), phase: 'LOCAL', timeZone: 'UTC', uploadLimit: 1 } as const
  const host = await testHost(t, contentsApp({ ...options, store: { ...store, ...broken(store) } }))
  const there = await withSession(service)
  const url = `${host.url}/contents/api/case${there.path}`
  const ask = async (init: RequestInit) => {
    const response = await fetch(url, init)
    return [response.status, await response.json()]
  }
  return {
    ...there,
    get: () => ask({ headers: host.as(7) }),
    post: (body: object) =>
      ask({
        method: 'POST',
        headers: { ...host.withClaims(writer), 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  }
}

const keysOf = async (store: ObjectStore) => {
  const keys: string[] = []
  for await (const { key } of store.list('analyze_report/')) keys.push(key)
  return keys
}

t.test('a slow delivery does not replace a newer report', async (t) => {
  let puts = 0
  const { call, path, session, deliver, post } = await failing(t, (whole) => ({
    async put(key, body, options) {
      puts += 1
      // The first has its version number and is still writing while the second is delivered.
      if (puts === 1) t.strictSame(await deliver(reports({ descriptions: 'newer' })), accepted)
      return whole.put(key, body, options)
    },
  }))
  t.strictSame(await post(reports({ descriptions: 'older' })), accepted)
  t.match(await call(7, 'GET', session), [
    200,
    { analyze_url: /analyze_report_v2-[0-9a-f]{32}\.json$/, analyze_state_id: 3 },
  ])
  t.strictSame(await call(7, 'GET', path), [200, reports({ descriptions: 'newer' })])
})

t.test('a delivery fails while the store is down', async (t) => {
  let down = true
  const { db, store, call, session, path, post } = await failing(t, (whole) => ({
    put: (key, body, options) => (down ? Promise.reject(new Error('down')) : whole.put(key, body, options)),
  }))
  t.match(await post(reports()), [
    400,
    {
      message: 'File [analyze_report.json] Upload failed.',
      error_code: 1000,
      detail: [{ loc: ['body'], type: 'store_unavailable' }],
    },
  ])
  t.equal(await db.$count(reportVersions), 0)
  t.match(await call(7, 'GET', session), [200, { analyze_url: null, analyze_state_id: 5 }])
  down = false
  t.strictSame(await post(reports()), accepted)
  t.match(await db.select().from(reportVersions), [{ version: 2 }], 'a gap, and no number twice')
  t.strictSame(await call(7, 'GET', path), [200, reports()])
  t.equal((await keysOf(store)).length, 1)
})

t.test('the session is deleted during a delivery', async (t) => {
  const { db, store, sessionId, call, session, post } = await failing(t, (whole) => ({
    async put(key, body, options) {
      const stored = await whole.put(key, body, options)
      t.same(await call(7, 'DELETE', session), [200, true])
      return stored
    },
  }))
  t.strictSame(await post(reports()), [400, { message: `Session ${sessionId} not found`, error_code: 3 }])
  t.equal(await db.$count(sessions), 0)
  t.same(await keysOf(store), [], 'nothing is left behind')
})

t.test('a stored report that cannot be read is an error', async (t) => {
  let down = true
  const { db, store, deliver, get } = await failing(t, (whole) => ({
    get: (key, options) => (down ? Promise.reject(new Error('down')) : whole.get(key, options)),
  }))
  t.strictSame(await deliver(reports()), accepted)
  const [row] = await db.select().from(reportVersions)
  const failed = [400, { message: `File [${row?.path.split('/').at(-1)}] Download failed.`, error_code: 1001 }]
  t.match(await get(), failed, 'the store is down')
  down = false
  t.strictSame(await get(), [200, reports()])
  const key = inFolder('analyze_report', row?.path ?? '')
  await store.delete([key])
  await store.put(key, Buffer.from('{}'), { contentType: 'application/json' })
  t.strictSame(await get(), failed, 'it is not the one that was recorded')
  await store.delete([key])
  t.strictSame(await get(), failed, 'it is gone')
})
