import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { cases } from '@playtherapy/schema'
import { jwtSecret, sourceOptions, type Teardown, testDatabase } from '@playtherapy/testing'
import t from 'tap'
import manifest from '../../../package.json' with { type: 'json' }
import { createLinks } from '../src/links.ts'
import { ecPair, keyServer, signedBy } from './key-server.ts'
import { good } from './support.ts'

interface Line {
  msg?: string
  level?: number
  status?: number
  [key: string]: unknown
}

/** Starts the service; everything it writes is gathered. */
async function start(t: Teardown, env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [...sourceOptions, fileURLToPath(new URL('./service.ts', import.meta.url))], {
    env: { PATH: process.env.PATH, JWT_SECRET: jwtSecret, HOST: '127.0.0.1', PORT: '0', ...env },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  const lines: Line[] = []
  const waiting: { matches: (line: Line) => boolean; found: (line: Line) => void }[] = []
  createInterface(child.stdout).on('line', (line) => {
    const parsed: Line = JSON.parse(line)
    lines.push(parsed)
    for (const { matches, found } of waiting) if (matches(parsed)) found(parsed)
  })
  const errors = text(child.stderr)
  /** The first line, come or to come, that matches. */
  const logged = (matches: (line: Line) => boolean) => {
    const line = lines.find(matches)
    return line ?? new Promise<Line>((found) => waiting.push({ matches, found }))
  }
  return { child, ended, lines, errors, logged }
}

async function running(t: Teardown & { testdir(): string }, env: NodeJS.ProcessEnv = {}) {
  const { db, url: DATABASE_URL } = await testDatabase(t)
  const [row] = await db.insert(cases).values({ userId: 7, givenName: 'A' }).returning()
  const service = await start(t, { DATABASE_URL, STORE_DIRECTORY: t.testdir(), ...env })
  const { msg } = await service.logged((line) => line.msg?.startsWith('Server listening at') ?? false)
  const url = msg?.split(' ').at(-1) ?? ''
  return { ...service, url, caseId: row?.id ?? 0 }
}

/** A GET on a connection that its agent keeps. */
async function get(url: string, agent: Agent) {
  const asked = request(url, { agent, headers: good() }).end()
  const [response]: IncomingMessage[] = await once(asked, 'response')
  if (!response) throw new Error('no response')
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

/** Resolves once nobody listens there any more. */
async function refusal(url: string): Promise<void> {
  for (;;) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const refused = await new Promise((resolve) =>
      socket.on('connect', () => resolve(false)).on('error', () => resolve(true)),
    )
    socket.destroy()
    if (refused) return
  }
}

t.test('the log of a service names no child, URL, query, token or body', async (t) => {
  const service = await running(t, { LOG_LEVEL: 'debug' })
  const { url, caseId } = service
  const secret = 'Jiwoo-Kim'
  const auth = good()
  const calls: [string, RequestInit][] = [
    [`/case/${caseId}?keyword=${secret}`, { headers: auth }],
    [`/case/${secret}`, { headers: auth }],
    [`/case/${caseId}?keyword=${secret}`, { headers: { authorization: `Bearer ${secret}` } }],
    [
      `/case/${caseId}`,
      {
        method: 'POST',
        body: JSON.stringify({ [secret]: secret }),
        headers: { ...auth, 'content-type': 'application/json' },
      },
    ],
    [
      `/case/${caseId}`,
      { method: 'POST', body: `{"${secret}`, headers: { ...auth, 'content-type': 'application/json' } },
    ],
    [`/case/${caseId}`, { method: 'POST', body: secret, headers: { ...auth, 'content-type': `text/${secret}` } }],
    [`/throws?keyword=${secret}`, { headers: auth }],
    [`/query-fails?keyword=${secret}`, { headers: auth }],
    [`/nowhere/${secret}`, { headers: auth }],
    [`/%zz${secret}`, { headers: { ...auth, 'user-agent': secret, referer: secret, cookie: secret } }],
  ]
  const target = { userId: 7, caseId: 12, sessionId: 34, videoId: 56 }
  const token = createLinks({ jwtSecret }).begin(target).pathOf('mp4', '').split('/').at(-2) ?? ''
  const links = ['throws', 'throws?x=1', 'nothing', '', '%zz'].map((file) => `/links/${token}/${file}`)
  for (const path of [...links, `/links/${token}.x/throws`]) {
    calls.push([path, {}], [path, { method: 'POST' }], [path, { method: 'HEAD' }])
  }
  for (const [path, init] of calls) await (await fetch(url + path, init)).text()
  await t.rejects(fetch(`${url}/stream-fails?keyword=${secret}`, { headers: auth }).then((response) => response.text()))
  await t.rejects(fetch(`${url}/links/${token}/fails`).then((response) => response.text()))
  const socket = connect(Number(new URL(url).port), '127.0.0.1').end(`${secret} / HTTP/9\r\n\r\n`)
  await once(socket.resume(), 'close')
  await (await fetch(`${url}/case/${caseId}?last`, { headers: { ...auth, 'x-request-id': 'the-last-one' } })).text()
  const last = await service.logged(({ request_id, msg }) => request_id === 'the-last-one' && msg === 'request')
  t.match(last, {
    service: 'test-service',
    method: 'GET',
    route: '/case/:case_id',
    status: 200,
    ms: Number,
    user_id: 7,
    case_id: caseId,
  })
  const failures = service.lines.filter(({ msg, level }) => msg === 'request failed' && level === 50)
  t.ok(failures.length > 0, 'failures are logged')
  for (const { err } of failures)
    t.match(err, { type: /Error$/, stack: [/^at .*:\d+/] }, 'with the place they come from')
  t.ok(service.lines.some(({ msg, level }) => msg === 'an answer broke off' && level === 50))

  service.child.kill('SIGTERM')
  t.same(await service.ended, [0, null])
  const written = JSON.stringify(service.lines) + (await service.errors)
  t.notMatch(written, /jiwoo/i)
  t.notMatch(written, auth.authorization?.slice(7, 60) ?? '')
  t.notMatch(written, token.slice(0, 20), 'the payload of a link')
  t.notMatch(written, token.slice(-20), 'its signature')
  t.match(written, '/links/:token/throws')
  t.notMatch(written, /keyword|\?last/)
})

t.test('an error in the log is for an operator to mend, and nothing that a user causes', async (t) => {
  const service = await running(t)
  const { url, caseId } = service
  const refused = [`${url}/busy`, `${url}/slow-query`, `${url}/health/ready`]
  for (const path of refused) await (await fetch(path, { headers: good() })).text()
  const left = await fetch(`${url}/endless`, { headers: good() })
  await left.body?.cancel()
  const head = `POST /case/${caseId} HTTP/1.1\r\nhost: x\r\nauthorization: ${good().authorization}\r\n`
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
  socket.write(`${head}content-type: application/json\r\ncontent-length: 99\r\n\r\n{`)
  await service.logged(({ msg }) => msg === 'left')
  await new Promise((resolve) => socket.write('"', resolve))
  socket.destroy()
  await service.logged(({ msg }) => msg === 'client left')
  await (await fetch(`${url}/throws`, { headers: good() })).text()
  await service.logged(({ msg, route }) => msg === 'request' && route === '/throws')
  const levels = service.lines.filter(({ level = 0 }) => level > 30).map(({ level, msg }) => [level, msg])
  t.same(levels, [
    [40, 'request failed'],
    [40, 'request failed'],
    [50, 'request failed'],
  ])
})

t.test('a crash says where, not what', async (t) => {
  const service = await running(t)
  await fetch(`${service.url}/crashes?keyword=Jiwoo`, { headers: good() }).catch(() => {})
  t.same(await service.ended, [1, null])
  const written = JSON.stringify(service.lines) + (await service.errors)
  t.match(written, /service\.ts/)
  t.notMatch(written, /jiwoo/i)
})

t.test('on SIGTERM what is under way is finished, and nothing begun that would last', async (t) => {
  const { child, ended, logged, url } = await running(t)
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const waiting = get(`${url}/waits`, agent)
  await logged(({ msg }) => msg === 'waiting')
  // A request whose head is half sent is under way too, and its connection stays. The one before it tells that the half has come.
  const late = async (path: string) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const answers: Buffer[] = []
    socket.on('data', (data) => answers.push(data))
    socket.write(`GET /health/live HTTP/1.1\r\nhost: x\r\n\r\nGET ${path} HTTP/1.1\r\nhost: x\r\n`)
    await once(socket, 'data')
    answers.length = 0
    const answer = once(socket, 'close').then(() => Buffer.concat(answers).toString())
    return { answer, end: () => socket.write('origin: http://localhost:3000\r\n\r\n') }
  }
  const [short, long] = [await late('/case/1'), await late('/streams')]

  child.kill('SIGTERM')
  await refusal(url)
  short.end()
  long.end()
  for (const part of [/^HTTP\/1\.1 401 /, /connection: close/i]) t.match(await short.answer, part)
  for (const part of [
    /^HTTP\/1\.1 503 /,
    /retry-after: \d/i,
    /connection: close/i,
    /allow-origin: http:/i,
    /"error_code":10/,
  ]) {
    t.match(await long.answer, part)
  }
  t.equal(child.exitCode, null, 'it waits for what is under way')
  child.kill('SIGCONT')
  t.match(await waiting, { status: 200, headers: { connection: 'close' }, body: '{"waited":true}' })
  t.same(await ended, [0, null])
})

t.test('a crash ends the process, and nothing waits for a clean close', async (t) => {
  const { child, ended } = await running(t)
  child.kill('SIGSEGV')
  t.same(await ended, [null, 'SIGSEGV'])
})

t.test('a second signal ends it at once', async (t) => {
  const { child, ended, logged, url } = await running(t)
  const waiting = get(`${url}/waits`, new Agent())
  waiting.catch(() => {})
  await logged(({ msg }) => msg === 'waiting')
  child.kill('SIGTERM')
  await refusal(url)
  child.kill('SIGTERM')
  t.same(await ended, [1, null])
})

t.test('readiness names what is down, liveness does not care', async (t) => {
  const ask = async (url: string, path: string) => {
    const response = await fetch(url + path, { headers: good() })
    return { status: response.status, retry: response.headers.get('retry-after'), body: await response.json() }
  }
  const sound = await running(t)
  t.match(await ask(sound.url, '/health/ready'), { status: 200, body: { status: 'ok' } })
  // Nobody listens on that port, and a folder cannot be made below a file.
  const alone = await running(t, {
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    STORE_DIRECTORY: `${import.meta.filename}/x`,
  })
  t.match(await ask(alone.url, '/health/live'), { status: 200, body: { status: 'ok' } })
  const down = { status: 503, retry: /^\d+$/, body: { error_code: 10 } }
  t.match(await ask(alone.url, '/health/ready'), {
    ...down,
    body: { error_code: 10, message: 'Not ready: database, objects' },
  })
  t.match(await ask(alone.url, '/case/1'), down, 'and what needs it says so')
  await Promise.all([ask(alone.url, '/health/ready'), ask(alone.url, '/health/ready')])
  await (await fetch(`${alone.url}/health/live`, { headers: { 'x-request-id': 'the-last-one' } })).text()
  await alone.logged(({ request_id, msg }) => request_id === 'the-last-one' && msg === 'request')
  t.match(
    alone.lines.filter(({ msg }) => /ready/.test(msg ?? '')),
    [
      {
        level: 40,
        reasons: {
          database: 'nothing listens there (127.0.0.1:1, ECONNREFUSED)',
          objects: /^a part of the path is no folder/,
        },
      },
    ],
    'the log says once why, and not as an error',
  )
  t.equal(alone.lines.filter(({ level }) => level === 50).length, 1, 'the one of the request for the case')
})

t.test('the first log line, the API document and /health/live name the same version', async (t) => {
  const { url, lines } = await running(t)
  const { version } = manifest
  const commit = 'unknown'
  t.match(lines[0], { msg: 'starting', service: 'test', version, commit })
  t.strictSame(JSON.parse((await get(`${url}/health/live`, new Agent())).body), { status: 'ok', version, commit })
  const document = JSON.parse((await get(`${url}/documentation/json`, new Agent())).body)
  t.equal(document.info.version, `${version}+${commit}`)
})

t.test('a wrong environment stops the start and says all of what is wrong', async (t) => {
  const service = await start(t, { DATABASE_URL: 'mysql://u:hunter2@h/d', JWT_SECRET: 'hunter2', PORT: 'hunter2' })
  t.same(await service.ended, [1, null])
  const written = await service.errors
  for (const name of ['DATABASE_URL', 'JWT_SECRET', 'PORT']) t.match(written, new RegExp(`^ +${name} `, 'm'))
  t.notMatch(written, 'hunter2')
})

t.test(
  'a key set that cannot be read is logged once, without its address, and one that is not valid stops the start',
  async (t) => {
    const JWT_ISSUER = 'https://sign-in'
    const pair = ecPair('1')
    const server = await keyServer(t, pair)
    await server.stop()
    const { url, logged } = await running(t, { JWT_JWKS_URL: `${server.url}?key=hunter2`, JWT_ISSUER })
    const line = await logged(({ msg }) => msg === 'the keys of tokens cannot be read')
    t.match(line, { level: 40, err: { reason: /nothing listens there/ } })
    t.notMatch(JSON.stringify(line), /hunter2|jwks/)
    const { status, headers } = await fetch(`${url}/case/1`, { headers: signedBy(pair) })
    t.equal(status, 503)
    t.ok(headers.get('retry-after'))
    const service = await start(t, { DATABASE_URL: 'postgres://db', JWT_JWKS_URL: 'http://hunter2/', JWT_ISSUER })
    t.same(await service.ended, [1, null])
    const written = await service.errors
    t.match(written, /JWT_JWKS_URL must begin with https/)
    t.notMatch(written, /hunter2/)
  },
)
