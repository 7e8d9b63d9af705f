import {
  cases,
  erasures,
  outbox,
  renditions,
  reportVersions,
  scriptVersions,
  sessions,
  videos,
} from '@playtherapy/schema'
import { countEncodeRows, seedEncode } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { contents, ids, invalid } from './support.ts'

const token = [401, { message: 'access token is invalid', error_code: 0 }]
const noCase = (id: number) => [400, { message: `Case ${id} not found`, error_code: 2 }]
const missing = (id: number) => [400, { message: `Session ${id} not found`, error_code: 3 }]
const day = (timeZone: string) => new Intl.DateTimeFormat('sv-SE', { timeZone }).format(new Date())

/** The fourteen keys of a new session on the wire. */
const fresh = (caseId: number, id: number) => ({
  id,
  name: 'First',
  session_state_id: 1,
  case_id: caseId,
  source_video_url: null,
  source_script_url: null,
  encoding_state_id: 5,
  script_state_id: 5,
  analyze_state_id: 5,
  created_date: day('Asia/Seoul'),
  video_length: null,
  origin_video_url: null,
  encoding_video_url: null,
  analyze_url: null,
})

t.test('a session is created, read and replaced', async (t) => {
  const { call, db, newCase } = await contents(t)
  const caseId = await newCase(7)
  // The client sends null for everything except the name.
  const { encoding_state_id: _, analyze_url: __, ...keys } = fresh(0, 0)
  const sent = { ...Object.fromEntries(Object.keys(keys).map((key) => [key, null])), name: 'First' }
  const [status, created] = await call(7, 'POST', `/${caseId}/session`, { data: sent })
  t.equal(status, 200)
  const [row] = await db.select().from(sessions)
  const id = row?.id ?? 0
  const whole = fresh(caseId, id)
  t.strictSame(created, whole)
  const path = `/${caseId}/session/${id}`
  t.strictSame(await call(7, 'GET', path), [200, whole])
  t.strictSame(await call(7, 'GET', `/${caseId}/session`), [200, [whole]])

  const other = await newCase(8)
  const odd = {
    id: 99,
    case_id: other,
    session_state_id: 3,
    encoding_state_id: 3,
    script_state_id: 3,
    analyze_state_id: 'x',
    created_date: '1999-01-01',
    source_video_url: '/etc/passwd',
    source_script_url: 'LOCAL/1/1/script_v1.json',
    encoding_video_url: 'LOCAL/1/1/encoded_1-1.mp4',
    analyze_url: {},
    more: 'ignored',
  }
  const changed = { ...whole, name: '두 번째', video_length: '00:42:10' }
  t.strictSame(
    await call(7, 'PUT', path, { data: { ...odd, name: '두 번째', video_length: '00:42:10' } }),
    [200, changed],
    'only name and length may be written',
  )
  t.strictSame(await call(7, 'GET', path), [200, changed])
  t.strictSame(
    await call(7, 'PUT', path, { data: { ...changed, video_length: null } }),
    [200, changed],
    'null erases no length',
  )
  t.strictSame(await call(7, 'PUT', path, { data: { name: 'x' } }), [200, { ...changed, name: 'x' }])
  for (const length of ['00:00:00', '123:59:59']) {
    t.match(await call(7, 'PUT', path, { data: { name: 'x', video_length: length } }), [200, { video_length: length }])
  }
  t.match(
    await call(7, 'POST', `/${caseId}/session`, { data: { ...odd, name: '', video_length: '00:00:01' }, more: 1 }),
    [200, { ...whole, id: id + 1, name: '', video_length: '00:00:01' }],
  )
})

t.test('a session shows the paths of its current rows', async (t) => {
  const { call, db, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  const sessionId = await newSession(7, caseId)
  const key = (name: string) => `LOCAL/${caseId}/${sessionId}/${name}`
  const stored = { state: 'stored', size: 9, etag: '"e"' } as const
  const [video] = await db
    .insert(videos)
    .values({ ...stored, sessionId, path: key('1.mp4'), container: 'mp4', storedAt: new Date() })
    .returning()
  const videoId = video?.id ?? 0
  const [rendition] = await db
    .insert(renditions)
    .values({
      sessionId,
      videoId,
      path: key('encoded_1-1.mp4'),
      size: 1,
      etag: '"r"',
      durationMs: 1,
      width: 1,
      height: 1,
    })
    .returning()
  const [script] = await db
    .insert(scriptVersions)
    .values({ ...stored, sessionId, version: 1, path: key('script_v1.json'), userId: 7 })
    .returning()
  const [report] = await db
    .insert(reportVersions)
    .values({ ...stored, sessionId, version: 1, path: key('analyze_report_v1.json') })
    .returning()
  await db.update(sessions).set({ videoId, encodingStateId: 1 })
  await db.update(sessions).set({ encodingStateId: 2 })
  await db.update(sessions).set({
    renditionId: rendition?.id ?? null,
    scriptVersionId: script?.id ?? null,
    reportVersionId: report?.id ?? null,
    encodingStateId: 3,
    scriptStateId: 2,
    analyzeStateId: 4,
  })
  const whole = {
    ...fresh(caseId, sessionId),
    source_script_url: key('script_v1.json'),
    origin_video_url: key('1.mp4'),
    encoding_video_url: key('encoded_1-1.mp4'),
    analyze_url: key('analyze_report_v1.json'),
    encoding_state_id: 3,
    script_state_id: 2,
    analyze_state_id: 4,
  }
  t.strictSame(await call(7, 'GET', `/${caseId}/session/${sessionId}`), [200, whole])
  t.strictSame(await call(7, 'GET', `/${caseId}/session`), [200, [whole]])
  t.strictSame(
    await call(7, 'PUT', `/${caseId}/session/${sessionId}`, { data: fresh(caseId, sessionId) }),
    [200, whole],
    'a stale copy undoes no work',
  )
  t.strictSame(await call(7, 'DELETE', `/${caseId}/session/${sessionId}`), [200, true])
  for (const table of [videos, renditions, scriptVersions, reportVersions]) t.equal(await db.$count(table), 0)
})

t.test('invalid sessions are refused', async (t) => {
  const { call, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  const sessionId = await newSession(7, caseId)
  for (const [method, path] of [
    ['POST', `/${caseId}/session`],
    ['PUT', `/${caseId}/session/${sessionId}`],
  ] as const) {
    const send = (body: unknown) => call(7, method, path, body)
    t.match(await send({ name: 'flat' }), invalid(['body', 'data']))
    for (const data of [null, [], 'x', 1]) t.match(await send({ data }), invalid(['body', 'data']))
    t.match(await send({ data: {} }), invalid(['body', 'data', 'name']))
    for (const name of [null, 5, 'x'.repeat(201), 'a\0']) {
      t.match(await send({ data: { name } }), invalid(['body', 'data', 'name']))
    }
    for (const length of [
      '',
      '1:00:00',
      '00:60:00',
      '00:00:60',
      '1234:00:00',
      '00:00',
      '00:00:00\n',
      'NaN',
      7,
      '０１:00:00',
    ]) {
      t.match(await send({ data: { name: 'x', video_length: length } }), invalid(['body', 'data', 'video_length']))
    }
    t.match(await send('{"data":'), invalid(['body']))
    t.match(await send('[]'), invalid(['body']))
    t.match(await send({ data: { name: 'x'.repeat(1_100_000) } }), [413, { error_code: 9 }])
  }
  t.match(
    await call(7, 'PUT', `/${caseId}/session/${sessionId}`, { data: { name: 'x', origin_video_url: 5 } }),
    invalid(['body', 'data', 'origin_video_url']),
  )
  t.strictSame(await call(7, 'GET', `/${caseId}/session`), [200, [fresh(caseId, sessionId)]])
})

t.test('a session belongs to its case, and the case to its therapist', async (t) => {
  const { call, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  const sessionId = await newSession(7, caseId)
  const second = await newCase(7)
  const foreign = await newCase(8)
  const own = (id: number) =>
    [
      ['GET', `/${id}/session`],
      ['GET', `/${id}/session/total-num`],
      ['POST', `/${id}/session`, { data: { name: 'stolen' } }],
    ] as const
  const one = (id: number, session: number | string) =>
    [
      ['GET', `/${id}/session/${session}`],
      ['PUT', `/${id}/session/${session}`, { data: { name: 'stolen' } }],
      ['DELETE', `/${id}/session/${session}`],
    ] as const
  for (const [method, path, body] of [...own(caseId), ...one(caseId, sessionId)]) {
    t.strictSame(await call({}, method, path, body), token)
    t.strictSame(await call(8, method, path, body), noCase(caseId), `${method} ${path}`)
    if (body) t.strictSame(await call(8, method, path, '{'), noCase(caseId))
  }
  for (const [method, path] of one(caseId, 'NaN')) t.strictSame(await call(8, method, path), noCase(caseId))
  for (const [method, path, body] of own(2_000_000_000))
    t.strictSame(await call(7, method, path, body), noCase(2_000_000_000))
  for (const [method, path, body] of one(foreign, sessionId)) {
    t.strictSame(await call(8, method, path, body), missing(sessionId), 'through an own case')
  }
  for (const [method, path, body] of one(second, sessionId)) {
    t.strictSame(await call(7, method, path, body), missing(sessionId), 'through another case of the same therapist')
    if (body) t.strictSame(await call(7, method, path, '{'), missing(sessionId))
  }
  for (const text of ['NaN', '1.5', '2147483648', '1e3']) {
    for (const [method, path, body] of one(caseId, text)) {
      t.match(await call(7, method, path, body), invalid(['path', 'session_id']), text)
    }
  }
  for (const id of [0, -1, 2_147_483_647]) t.strictSame(await call(7, 'GET', `/${caseId}/session/${id}`), missing(id))
  t.strictSame(await call(7, 'GET', `/${caseId}/session`), [200, [fresh(caseId, sessionId)]])
  t.same(ids(await call(7, 'GET', `/${second}/session`)), [])
})

t.test('the list of sessions has pages and a keyword', async (t) => {
  const { call, db, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  const elsewhere = await newCase(7)
  await newSession(7, elsewhere, { name: 'Play 1' })
  const path = `/${caseId}/session`
  const total = (query = '') => call(7, 'GET', `${path}/total-num${query}`)
  const list = (query = '') => call(7, 'GET', `${path}${query}`)
  t.strictSame(await total(), [200, 1])
  t.strictSame(await list('?skip=0'), [200, []])
  const names = [...Array.from({ length: 21 }, (_, n) => `Play ${n}`), '50%', 'a_b', 'c\\d', '놀이 치료']
  const rows = await db
    .insert(sessions)
    .values(names.map((name) => ({ caseId, name })))
    .returning({ id: sessions.id })
  const all = rows.map(({ id }) => id).sort((a, b) => b - a)
  t.strictSame(await total(), [200, 3])
  t.same(ids(await list('?keyword=')), all, 'all of them, newest first')
  t.same(ids(await list('?skip=0&limit=10')), all.slice(0, 10))
  t.same(ids(await list('?skip=20')), all.slice(20))
  const range = (from: unknown, to: unknown) => [400, { message: `Invalid range ${from} to ${to}`, error_code: 4 }]
  t.strictSame(await list('?skip=20&limit=10'), range(20, 29))
  t.strictSame(await list('?limit=26'), range(0, 25))
  t.strictSame(await list('?skip=26'), range(26, 50))
  t.strictSame(await list('?skip=-1&limit=1'), range(-1, -1))
  t.match(await list('?skip=&limit=1.0'), invalid(['query', 'skip'], ['query', 'limit']))
  t.match(await list('?skip=1&skip=2'), invalid(['query', 'skip']))

  const find = async (keyword: string) => ids(await list(`?keyword=${encodeURIComponent(keyword)}`)).length
  t.equal(await find('undefined'), 25)
  t.equal(await find('pLAY'), 21)
  t.equal(await find('play 1'), 11)
  t.equal(await find('치료'), 1)
  for (const letter of ['%', '_', '\\', '0%', 'a_']) t.equal(await find(letter), 1, letter)
  t.equal(await find('nothing'), 0)
  t.strictSame(await total('?keyword=play'), [200, 3])
  t.strictSame(await total('?keyword=play%201'), [200, 2])
  t.strictSame(await total('?keyword=undefined'), [200, 3])
  t.strictSame(await list('?keyword=play%201&limit=12'), range(0, 11), 'the count is filtered too')
  t.match(await list('?keyword=%00'), invalid(['query', 'keyword']))
  t.match(await call(7, 'GET', `/${caseId}`), [200, { session_count: 25 }])
})

t.test('dates are days in the time zone', async (t) => {
  const { call, db, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  await newSession(7, caseId)
  await db.update(sessions).set({ createdAt: new Date('2026-02-28T15:00:00Z') })
  t.match(await call(7, 'GET', `/${caseId}/session`), [200, [{ created_date: '2026-03-01' }]])
  await db.update(sessions).set({ createdAt: new Date('2026-02-28T14:59:59Z') })
  t.match(await call(7, 'GET', `/${caseId}/session`), [200, [{ created_date: '2026-02-28' }]])
})

t.test('a session is deleted with everything below it', async (t) => {
  const { call, db, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  const id = await newSession(7, caseId)
  const kept = await newSession(7, caseId)
  const described = { state: 'encoded', container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
  const path = `LOCAL/${caseId}/${id}/1.mp4`
  const [video] = await db
    .insert(videos)
    .values({ ...described, sessionId: id, path })
    .returning()
  await seedEncode(db, { id: video?.id ?? 0, path })
  t.strictSame(await call(7, 'DELETE', `/${caseId}/session/${id}`), [200, true])
  t.equal(await countEncodeRows(db), 0)
  t.strictSame(await call(7, 'GET', `/${caseId}/session/${id}`), missing(id))
  t.strictSame(await call(7, 'DELETE', `/${caseId}/session/${id}`), missing(id))
  t.same(ids(await call(7, 'GET', `/${caseId}/session`)), [kept])
  t.match(await call(7, 'GET', `/${caseId}`), [200, { session_count: 1 }])
  const [tombstone, ...more] = await db.select().from(erasures)
  t.match(tombstone, { caseId, sessionId: id })
  t.same(more, [])
  const announced = await db
    .select({
      name: outbox.name,
      payload: outbox.payload,
      hours: sql`extract(epoch from ${outbox.availableAt} - ${outbox.createdAt})::int / 3600`,
    })
    .from(outbox)
    .orderBy(outbox.availableAt)
  const payload = { erasure_id: tombstone?.id }
  t.same(announced, [
    { name: 'erase', payload, hours: 0 },
    { name: 'erase', payload, hours: 25 },
  ])
})

t.test('sessions created while their case is deleted are deleted or refused, never left over', async (t) => {
  const { call, db, newCase } = await contents(t)
  const caseId = await newCase(7)
  const answers = await Promise.all([
    ...Array.from({ length: 10 }, () => call(7, 'POST', `/${caseId}/session`, { data: { name: 'x' } })),
    call(7, 'DELETE', `/${caseId}`),
  ])
  t.strictSame(answers.at(-1), [200, true])
  for (const [status, body] of answers.slice(0, -1)) {
    if (status !== 200) t.match([status, body], [400, { error_code: /[23]/ }])
  }
  t.equal(await db.$count(cases, eq(cases.id, caseId)), 0)
  t.equal(await db.$count(sessions), 0)
})
