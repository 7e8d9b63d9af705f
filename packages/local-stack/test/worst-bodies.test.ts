import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { seedSession, testDatabase, testHost } from '@playtherapy/testing'
import t from 'tap'
import { at, claimsFor, type Operation, operations } from './support.ts'

/** Longest turn of the event loop, in milliseconds of a core. */
const mostMs = 100
const mebibyte = 1024 ** 2

/** Items to fill so many bytes with. */
function filled(bytes: number, item: (n: number) => string): string[] {
  const items: string[] = []
  for (let left = bytes, n = 0; left > 0; n++) {
    const next = item(n)
    items.push(next)
    left -= Buffer.byteLength(next) + 1
  }
  return items
}

/** What is dearest to read for its size, as the items of a JSON array. */
const dear = [
  (n: number) => `{"k${n.toString(36)}":0}`,
  (n: number) => `{"a${n % 4999}":"${'가'.repeat(10)}"}`,
  (n: number) => `"\\ud83e\\uddf8${'x'.repeat(8)}${n}"`,
  (n: number) => `[${n}.5e-300,${n}.5e300]`,
  () => `"${'\\u0041'.repeat(10_000)}"`,
  () => `${'['.repeat(25)}${']'.repeat(25)}`,
]
/** Arrays of them that take so many bytes; within the count of values, where that is possible. */
const arrays = (bytes: number) => dear.map((item) => `[${filled(bytes, item).slice(0, 45_000).join()}]`)

const marks = (bytes: number) => `a${'\u0301\u0323'.repeat(bytes / 4)}`
const record = (text: string, n = 1) =>
  `{"start_time":"00:00:${10 + (n % 50)}","end_time":"00:01:00","speaker":"T","text":"${text}"}`
const scripts = (records: string[]) => `{"scripts":[${records.join()}]}`
const worstScripts = [
  scripts([record(marks(320 * 1024))]),
  scripts(filled(60_000, (n) => record('', n))),
  scripts(filled(4 * mebibyte, (n) => record(`${'ab '.repeat(10)}${n}`, n))),
  scripts([record('A&\\"'.repeat(mebibyte))]),
  ...arrays(mebibyte).map((array) => `{"x":${array},"scripts":[]}`),
]
const worstCaptions = [
  `WEBVTT\n\n${'a\n\n'.repeat(mebibyte)}`,
  `WEBVTT\n\n${'00:00.000 --> 00:00.001\na\n\n'.repeat(50_000)}`,
  `WEBVTT\n\n00:00.000 --> 00:00.001\n${'<v a>&lt;'.repeat(mebibyte / 4)}`,
  `1\n00:00:00,000 --> 00:00:00,001\n${'<b>\u0001'.repeat(mebibyte)}`,
]

interface Sent {
  body?: string | FormData
  headers?: Record<string, string>
}
const json = (body: string): Sent => ({ body, headers: { 'content-type': 'application/json' } })
function form(name: string, content: string): Sent {
  const body = new FormData()
  body.set(name, new Blob([content]), 'name')
  return { body }
}
const tus = { 'tus-resumable': '1.0.0' }
const tusBytes = { 'content-type': 'application/offset+octet-stream' }
const patches = [
  ...arrays(mebibyte - 200).map((array) => `[{"op":"add","path":"/x","value":${array}}]`),
  `[${filled(mebibyte - 1000, (n) => `{"op":"test","path":"/${'~1'.repeat(490)}${n}","value":[]}`).slice(0, 1000)}]`,
  JSON.stringify(Array(1000).fill({ op: 'copy', from: '/scripts', path: '/scripts/-' })),
  JSON.stringify(Array(1000).fill({ op: 'copy', from: '/scripts/0', path: '/scripts/-' })),
  arrays(mebibyte)[3] ?? '',
]
const reports = (bytes: number) =>
  arrays(bytes).map(
    (array) => `{"x":${array},"reports":{"a":{"category":"a","descriptions":"","level":1,"interactions":${array}}}}`,
  )

/** The worst that every operation with a body is sent, by its method and the end of its path. */
const worst: Record<string, () => Sent[]> = {
  'POST /case': () => arrays(mebibyte - 100).map((array) => json(`{"given_name":"a","description":{"a":${array}}}`)),
  'PUT /case/{case_id}': () => arrays(mebibyte - 100).map((array) => json(`{"given_name":"a","x":${array}}`)),
  'POST /session': () => arrays(mebibyte - 100).map((array) => json(`{"data":{"name":"a","x":${array}}}`)),
  'PUT /session/{session_id}': () => arrays(mebibyte - 100).map((array) => json(`{"data":${array}}`)),
  'POST /analyze-report': () => reports(2 * mebibyte).map(json),
  'POST /video': () => [form('file', '\0'.repeat(mebibyte))],
  'POST /video/tus': () => [
    { headers: { ...tus, 'upload-length': '9000', 'upload-metadata': filled(8_000, (n) => `k${n} YQ==`).join() } },
    { headers: { ...tus, ...tusBytes, 'upload-length': String(mebibyte) }, body: '\0'.repeat(mebibyte) },
  ],
  'PATCH /video/tus/{upload_id}': () => [
    { headers: { ...tus, ...tusBytes, 'upload-offset': '0' }, body: '\0'.repeat(mebibyte) },
  ],
  'HEAD /video/tus/{upload_id}': () => [{ headers: tus }],
  'HEAD /video': () => [{}],
  'POST /script': () => worstScripts.map((script) => form('script', script)),
  'POST /script/import': () => worstCaptions.map((captions) => form('script', captions)),
  'PATCH /script': () =>
    patches.map((body) => ({ body, headers: { 'content-type': 'application/json-patch+json', 'if-match': '*' } })),
  'POST /export': () => arrays(mebibyte - 100).map((array) => json(`{"x":${array}}`)),
  'POST /export/link': () => [{}],
  'POST /playback': () => arrays(mebibyte - 100).map(json),
  'POST /restore': () => [{}],
  'POST /retry': () => [{}],
  'POST /ticket': () => [{}],
}

/** What is sent to an operation; undefined where nobody has thought about it. */
function bodiesOf({ method, path }: Operation): Sent[] | undefined {
  const named = Object.entries(worst).find(([name]) => {
    const [itsMethod, end = ''] = name.split(' ')
    return method === itsMethod && path.endsWith(end)
  })
  return named ? named[1]() : ['GET', 'DELETE'].includes(method) ? [{}] : undefined
}

t.test('no operation keeps the event loop, whatever it is sent', async (t) => {
  const { url: databaseUrl, db } = await testDatabase(t)
  const { withClaims } = await testHost(t, async () => {})
  const file = fileURLToPath(new URL('./all-services.ts', import.meta.url))
  const services = fork(file, [databaseUrl, t.testdir()])
  t.teardown(async () => {
    services.disconnect()
    await once(services, 'exit')
  })
  const told = async () => (await once(services, 'message'))[0]
  const url = String(await told())
  const longestTurn = async () => {
    services.send('?')
    return Number(await told())
  }
  const { caseId, sessionId } = await seedSession(db, 7)
  const send = async (operation: Operation, { body, headers }: Sent) => {
    const response = await fetch(url + at(operation, caseId, sessionId), {
      method: operation.method,
      headers: { ...withClaims(claimsFor(operation, 7)), ...headers },
      ...(body !== undefined && { body }),
    })
    // An event stream has no end.
    if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
      await response.body?.cancel()
      return { status: response.status, bytes: 0 }
    }
    return { status: response.status, bytes: (await response.arrayBuffer()).byteLength }
  }
  const all = await operations(url)
  const reads = all.filter(({ method }) => method === 'GET')
  const deletions = all.filter(({ method }) => method === 'DELETE').toSorted((a, b) => b.path.length - a.path.length)
  const writes = all.filter((operation) => !reads.includes(operation) && !deletions.includes(operation))

  async function measure(operation: Operation) {
    const label = `${operation.method} ${operation.path}`
    const bodies = bodiesOf(operation)
    t.ok(bodies, `${label} has a worst body`)
    for (const [index, sent] of (bodies ?? []).entries()) {
      await longestTurn()
      const { status, bytes } = await send(operation, sent)
      const ms = await longestTurn()
      t.ok(ms < mostMs, `${label}, body ${index}: ${status}, ${bytes} bytes, ${ms.toFixed(0)} ms`)
      t.ok(status < 500, `${label}, body ${index}: ${status}`)
    }
  }
  for (const operation of writes) await measure(operation)
  const save = writes.find(({ path }) => path.endsWith('/script'))
  const saveNewest = async (script = '') =>
    save && t.equal((await send({ ...save, method: 'POST' }, form('script', script))).status, 200)
  // A script is made ready to be searched by the first search after its save.
  await saveNewest(worstScripts[0])
  for (const operation of reads.filter(({ path }) => path.endsWith('/script-search'))) await measure(operation)
  await saveNewest(worstScripts[2])
  for (const operation of [...reads, ...deletions]) await measure(operation)
})
