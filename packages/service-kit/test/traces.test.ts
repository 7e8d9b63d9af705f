/** The spans of requests, of a service that runs as a process: what they hold, and what they never hold. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cases } from '@playtherapy/schema'
import { type Collector, jwtSecret, sourceOptions, startCollector, testDatabase } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { good } from './support.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`

async function start(t: Test, collector: Collector, env: NodeJS.ProcessEnv = {}) {
  const { db, url } = await testDatabase(t)
  const [row] = await db.insert(cases).values({ userId: 7, givenName: '민수' }).returning()
  const child = spawn(process.execPath, [...sourceOptions, fileURLToPath(new URL('./service.ts', import.meta.url))], {
    env: {
      PATH: process.env.PATH,
      JWT_SECRET: jwtSecret,
      HOST: '127.0.0.1',
      PORT: '0',
      DATABASE_URL: url,
      STORE_DIRECTORY: t.testdir(),
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const lines: Record<string, unknown>[] = []
  const listening = new Promise<string>((found) => {
    createInterface(child.stdout).on('line', (text) => {
      const line = JSON.parse(text)
      lines.push(line)
      if (line.msg?.startsWith('Server listening at')) found(line.msg.split(' ').at(-1))
    })
  })
  const url_ = `${await listening}/contents/api`
  const stop = async () => {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    return (await ended)[0]
  }
  return { url: url_, caseId: row?.id ?? 0, lines, stop }
}

t.test('a request continues the trace of its traceparent, with its statements below it', async (t) => {
  const collector = await startCollector(t)
  const { url, caseId, lines, stop } = await start(t, collector)
  const headers: Record<string, string> = { ...good(), traceparent, 'x-request-id': 'from-a-client' }
  t.equal((await fetch(`${url}/case/${caseId}?keyword=민수`, { headers })).status, 200)
  const json = { ...headers, 'content-type': 'application/json' }
  const body = JSON.stringify({ given_name: '민수' })
  t.equal((await fetch(`${url}/counts`, { method: 'POST', headers: json, body })).status, 200)
  t.equal((await fetch(`${url}/query-fails?keyword=민수`, { headers })).status, 500)
  t.equal((await fetch(new URL('/health/ready', url))).status, 200)
  t.equal((await fetch(`${url}/no-such-route`, { headers })).status, 404)
  t.equal(await stop(), 0)

  const spanOf = (name: string) => collector.spans.find((span) => span.name === name)
  const get = spanOf('GET /contents/api/case/:case_id')
  t.match(get, { service: 'test-service', traceId, parentSpanId: 'b7ad6b7169203331', failed: false })
  t.strictSame(get?.attributes, {
    'http.request.method': 'GET',
    'http.route': '/contents/api/case/:case_id',
    'http.response.status_code': 200,
    'playtherapy.user_id': 7,
    'playtherapy.case_id': caseId,
  })
  const below = (id: string | undefined) => collector.spans.filter(({ parentSpanId }) => parentSpanId === id)
  const namesBelow = (id: string | undefined) => below(id).map(({ name }) => name)
  t.strictSame(namesBelow(get?.spanId), ['select cases'], 'one for each statement')
  t.strictSame(below(get?.spanId)[0]?.attributes, {
    'db.system.name': 'postgresql',
    'db.operation.name': 'select',
    'db.collection.name': 'cases',
  })
  t.strictSame(namesBelow(spanOf('POST /contents/api/counts')?.spanId), ['select cases'], 'after the body was read')
  const failed = spanOf('GET /contents/api/query-fails')
  t.match(failed, { failed: true, attributes: { 'error.type': '500' } })
  t.match(below(failed?.spanId), [{ name: 'select cases', failed: true, attributes: { 'error.type': '42703' } }])
  t.equal(collector.spans.filter(({ parentSpanId }) => parentSpanId === 'b7ad6b7169203331').length, 3)
  for (const span of collector.spans) t.equal(span.traceId, traceId, 'nothing else is traced')

  const requests = lines.filter(({ msg }) => msg === 'request')
  t.strictSame(
    requests.filter(({ trace_id }) => trace_id === traceId).map(({ route }) => route),
    ['/contents/api/case/:case_id', '/contents/api/counts', '/contents/api/query-fails'],
  )
  t.match(
    lines.find(({ level }) => level === 50),
    { trace_id: traceId },
    'the line of the error',
  )
  const sent = collector.bodies.join()
  const token = headers.authorization?.split(' ')[1]
  for (const secret of ['민수', encodeURIComponent('민수'), 'keyword', 'from-a-client', token, 'given_name', 'no_such'])
    t.notOk(sent.includes(`${secret}`), `${secret}`)
  t.notMatch(sent, /https?:|\?|\$1/)
})

t.test('a traceparent that is not valid is ignored', async (t) => {
  const collector = await startCollector(t)
  const { url, caseId, stop } = await start(t, collector)
  const spanId = 'b7ad6b7169203331'
  const invalid = [
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01-what-the-future-will-be-like`,
    `00-${traceId}-${spanId}-01.`,
    `00-${traceId}-${spanId}-1`,
    `00-${traceId}-${spanId}-0g`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `01-${traceId}-${spanId}-01`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}${traceId}-${spanId}-01`,
    `${traceparent}${'a'.repeat(8_000)}`,
    `${traceparent}, ${traceparent}`,
    `00-'; drop table outbox; --`,
    '민수'.normalize('NFD').replaceAll(/[^\0-\xff]/g, 'x'),
    '',
  ]
  for (const header of invalid) {
    const answer = await fetch(`${url}/case/${caseId}`, { headers: { ...good(), traceparent: header } })
    t.equal(answer.status, 200, header)
  }
  t.equal(await stop(), 0)
  const requests = collector.spans.filter(({ name }) => name.startsWith('GET '))
  t.equal(requests.length, invalid.length)
  t.equal(new Set(requests.map((span) => span.traceId)).size, invalid.length, 'each has a trace of its own')
  t.ok(requests.every((span) => span.parentSpanId === '' && span.traceId !== traceId))
})

t.test('whatever the collector does, requests are answered and the process ends in time', async (t) => {
  const collectors = {
    hangs: await startCollector(t, () => {}),
    'answers 500': await startCollector(t, (response) => response.writeHead(500).end('민수')),
    'asks to come back in an hour': await startCollector(t, (response) =>
      response.writeHead(503, { 'retry-after': '3600' }).end(),
    ),
    resets: await startCollector(t, (_, socket) => socket.resetAndDestroy()),
    'is away': await startCollector(t),
  }
  await collectors['is away'].close()
  for (const [what, collector] of Object.entries(collectors)) {
    const { url, caseId, lines, stop } = await start(t, collector)
    const ask = () => fetch(`${url}/case/${caseId}`, { headers: good() }).then(({ status }) => status)
    for (let round = 0; round < 5; round++) {
      t.strictSame(await Promise.all(Array.from({ length: 60 }, ask)), Array(60).fill(200), what)
    }
    // A process that has not ended after eight seconds exits with 1.
    t.equal(await stop(), 0, what)
    const complaints = lines.filter(({ msg }) => msg === 'traces cannot be sent, so they are dropped')
    t.ok(complaints.length <= 1, 'once a minute')
    if (what === 'answers 500') t.equal(complaints.length, 1)
    t.notMatch(JSON.stringify(lines), '민수')
  }
})

t.test('a process with a collector that has no address does not start', async (t) => {
  for (const [name, value] of [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4317'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://user:password@collector:4318'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_TRACES_SAMPLER_ARG', 'parentbased_always_on'],
  ] as const) {
    const script = fileURLToPath(new URL('./service.ts', import.meta.url))
    const child = spawn(process.execPath, [...sourceOptions, script], {
      env: { PATH: process.env.PATH, JWT_SECRET: jwtSecret, DATABASE_URL: 'postgres://localhost/none', [name]: value },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (text) => (said += text))
    t.equal((await once(child, 'exit'))[0], 1, value)
    t.match(said, new RegExp(`${name} must`))
    t.notMatch(said, value)
  }
})
