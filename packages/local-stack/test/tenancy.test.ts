import { randomUUID } from 'node:crypto'
import { seedSession } from '@playtherapy/testing'
import t from 'tap'
import { at, claimsFor, type Operation, operations, seedVideo, testServices } from './support.ts'

const owner = 7
const stranger = 8

const report = { reports: { Evaluation: { category: 'Evaluation', descriptions: '', interactions: [], level: 1 } } }
const script = { scripts: [{ speaker: 'T', text: 'Hello' }] }

/** Operations without a token that show nothing of a case. */
const untold = ['/health/live', '/health/ready', '/contents/api/erasure/keys']

/** What a signed link to this file has to be for. */
const purposeOf = (file: string) =>
  ({
    'video.mp4': 'mp4' as const,
    'captions.vtt': 'captions' as const,
    'poster.jpg': 'poster' as const,
    'storyboard.jpg': 'storyboard' as const,
    'storyboard.vtt': 'storyboard' as const,
    'export.zip': 'export' as const,
  })[file] ?? 'hls'

interface Sent {
  body?: string | FormData
  type?: string
  match?: string
  headers?: Record<string, string>
}

/** A body that the route takes from its owner, and its headers. */
function body({ method, path }: Operation): Sent {
  const json = (value: unknown) => ({ body: JSON.stringify(value), type: 'application/json' })
  const tus = { 'tus-resumable': '1.0.0' }
  if (path.endsWith('/tus')) return { headers: { ...tus, 'upload-length': '9' } }
  if (path.endsWith('/{upload_id}')) {
    const bytes = { body: 'bytes', type: 'application/offset+octet-stream' }
    return { headers: { ...tus, 'upload-offset': '0' }, ...(method === 'PATCH' && bytes) }
  }
  if (method === 'PATCH') return { ...json([{ op: 'add', path: '/scripts/-', value: script.scripts[0] }]), match: '*' }
  if ((method !== 'POST' && method !== 'PUT') || path.endsWith('/restore')) return {}
  if (path.endsWith('/analyze-report')) return json(report)
  const [field, content] =
    [
      ['script', JSON.stringify(script), '/script'] as const,
      ['script', 'WEBVTT\n\n00:01.000 --> 00:02.000\n<v T>Hello</v>', '/script/import'] as const,
      ['file', 'no video', '/video'] as const,
    ].find(([, , end]) => path.endsWith(end)) ?? []
  if (field) {
    const form = new FormData()
    form.set(field, new Blob([content]), 'name')
    return { body: form }
  }
  return json(path.includes('/session') ? { data: { name: 'changed' } } : { given_name: 'changed' })
}

t.test('every route is for its owner alone', async (t) => {
  const services = await testServices(t, 'file', { trustedProxy: '127.0.0.1' })
  const mine = await seedSession(services.db, owner)
  const other = await seedSession(services.db, owner)
  const foreign = await seedSession(services.db, stranger)
  await seedVideo(services, mine.sessionId)
  let uploadId = ''
  let requestId = ''
  let requests = 0
  const told = async () =>
    services.sql`select action, case_id, session_id, user_id, result from audit_events where request_id = ${requestId}`
  const call = async (operation: Operation, headers: Record<string, string>, caseId: number, sessionId: number) => {
    requestId = randomUUID()
    const { body: content, type, match, headers: others } = body(operation)
    const target = at(operation, caseId, sessionId).replace('{upload_id}', uploadId)
    const response = await fetch(services.url + target, {
      method: operation.method,
      headers: {
        ...headers,
        ...others,
        'x-request-id': requestId,
        // Each viewer of a recording is told once in ten minutes: every request comes from another address.
        'x-forwarded-for': `10.0.${requests >> 8}.${requests++ & 255}`,
        ...(type && { 'content-type': type }),
        ...(match && { 'if-match': match }),
      },
      ...(content !== undefined && { body: content }),
    })
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
    // An event stream lasts as long as its token.
    if (isStream) await response.body?.cancel()
    const text = isStream ? '' : await response.text()
    uploadId ||= response.headers.get('location')?.split('/tus/')[1] ?? ''
    return { status: response.status, text, code: /"error_code":(\d+)/.exec(text)?.[1] }
  }
  const snapshot = async () =>
    JSON.stringify([
      await services.sql`select * from cases order by id`,
      await services.sql`select * from sessions order by id`,
      await services.sql`select count(*) from outbox`,
      await services.sql`select * from videos order by id`,
      await services.sql`select * from tus_uploads order by id`,
      await services.sql`select * from script_versions order by id`,
      await services.sql`select * from report_versions order by id`,
    ])
  const all = await operations(services.url)
  const creation = all.find(({ path }) => path.endsWith('/tus'))
  if (!creation) throw new Error('no resumable uploads')
  t.equal((await call(creation, services.as(owner), mine.caseId, mine.sessionId)).status, 201)
  const before = await snapshot()

  for (const operation of all.filter(({ path }) => path.includes('{case_id}'))) {
    const label = `${operation.method} ${operation.path}`
    const expect = async (
      who: string,
      headers: Record<string, string>,
      caseId: number,
      sessionId: number,
      code: string,
    ) => {
      const { status, text, code: seen } = await call(operation, headers, caseId, sessionId)
      // A response to HEAD has no body.
      const hidden = status === (code === '0' ? 401 : 400) && (operation.method === 'HEAD' || seen === code)
      if (!hidden) t.fail(`${label} by ${who}: ${status} ${text}`)
      const refused = code === '0' ? [] : [{ action: 'refused', case_id: caseId, result: Number(code) }]
      const events = await told()
      t.match(events, refused, `${label} by ${who} is told to the audit trail`)
      t.equal(events.length, refused.length)
    }
    const rightful = services.withClaims(claimsFor(operation, owner))
    const isOfTherapists = operation.opensTo === 'therapist'
    const missing = 2_000_000_000
    await expect('the owner, missing case', rightful, missing, mine.sessionId, '2')
    if (isOfTherapists) {
      await expect('a stranger', services.as(stranger), mine.caseId, mine.sessionId, '2')
      const both = services.withClaims({ scope: 'reports:write operations' })
      await expect('the analysis system and an operator', both, mine.caseId, mine.sessionId, '0')
    } else await expect('a therapist', services.as(owner), mine.caseId, mine.sessionId, '0')
    if (!operation.path.includes('{session_id}')) continue
    await expect('the owner, missing session', rightful, mine.caseId, missing, '3')
    await expect('the owner, another own case', rightful, other.caseId, mine.sessionId, '3')
    await expect('the owner, a foreign session', rightful, mine.caseId, foreign.sessionId, '3')
    if (isOfTherapists) {
      await expect('a stranger through an own case', services.as(stranger), foreign.caseId, mine.sessionId, '3')
    }
  }
  t.equal(await snapshot(), before, 'nothing has changed')

  // The matrix would prove little if the owner were refused too. Deletions last.
  const order = all.toSorted((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'))
  const deletions = order.filter(({ method }) => method === 'DELETE').toSorted((a, b) => b.path.length - a.path.length)
  for (const operation of [...order.filter(({ method }) => method !== 'DELETE'), ...deletions]) {
    const headers = services.withClaims(claimsFor(operation, owner))
    const { status, text, code } = await call(operation, headers, mine.caseId, mine.sessionId)
    const refusedAsContent = operation.path.endsWith('/video') && operation.method === 'POST' && code === '1000'
    const notYet = operation.method !== 'DELETE' && (code === '6' || code === '7')
    const nothingGivenUp = operation.path.endsWith('/retry') && code === '404'
    const nothingErased = operation.path.endsWith('/erasure/{id}') && code === '404'
    const notExported = /\/export(\/link)?$/.test(operation.path) && code === '404'
    t.ok(
      status < 300 || refusedAsContent || notYet || nothingGivenUp || nothingErased || notExported,
      `${operation.method} ${operation.path} by its owner: ${status} ${text}`,
    )
    const [event] = await told()
    t.ok(event, `${operation.method} ${operation.path} is told to the audit trail`)
    if (operation.path.includes('{case_id}')) t.equal(event?.case_id, mine.caseId)
  }
})

t.test('what is shown without a token is told to the audit trail, by whom the link or ticket was given', async (t) => {
  const services = await testServices(t)
  const mine = await seedSession(services.db, owner)
  await seedVideo(services, mine.sessionId)
  const [video] = await services.sql`select id from videos`
  const issued = await fetch(`${services.url}/contents/api/events/ticket`, {
    method: 'POST',
    headers: services.as(owner),
  })
  const ticketed = services.url + Object(await issued.json()).url
  for (const { method, path } of await operations(services.url, false)) {
    // OPTIONS tells of the protocol alone.
    if (untold.includes(path) || method === 'OPTIONS') continue
    const file = path.split('/').at(-1) ?? ''
    const link = services.linkTo({ userId: owner, ...mine, videoId: video?.id }, purposeOf(file), file)
    const requestId = randomUUID()
    const response = await fetch(path.endsWith('{ticket}') ? ticketed : link, {
      method,
      headers: { 'x-request-id': requestId },
    })
    await response.body?.cancel()
    // What is not there is refused, which is told, too; a link that is no link names nobody.
    const events = await services.sql`select user_id, case_id from audit_events where request_id = ${requestId}`
    const caseId = path.endsWith('{ticket}') ? null : mine.caseId
    t.strictSame([...events], [{ user_id: owner, case_id: caseId }], `${method} ${path}: ${response.status}`)
  }
})

t.test('lists and counts hold only what is the caller’s', async (t) => {
  const services = await testServices(t)
  await seedSession(services.db, owner)
  await seedSession(services.db, owner)
  await seedSession(services.db, stranger)
  const get = async (path: string, user: number) =>
    (await fetch(services.url + path, { headers: services.as(user) })).json()
  t.match(await get('/contents/api/case', owner), [{ user_id: owner }, { user_id: owner }])
  t.match(await get('/contents/api/case', stranger), [{ user_id: stranger }])
  t.strictSame(await get('/contents/api/case', 9), [])
  t.match(await get('/contents/api/case?keyword=%EB%AF%BC%EC%88%98', stranger), [{ user_id: stranger }])
  t.equal(await get('/contents/api/case/total-num', owner), 1)
})
