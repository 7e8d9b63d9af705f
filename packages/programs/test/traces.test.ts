/** The trace of one upload, from the gateway to the finished recording, through the bundled programs. */
import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { programPath } from '@playtherapy/programs'
import { cases, chunks, outbox, sessions } from '@playtherapy/schema'
import {
  hasNginx,
  jwtSecret,
  ownProcess,
  queueBackends,
  type ReceivedSpan,
  startCollector,
  startNginx,
  storeBackends,
  testBucket,
  testDatabase,
  testQueue,
  until,
} from '@playtherapy/testing'
import t, { type Test } from 'tap'

const skip = !storeBackends.includes('s3') || !hasNginx()
const traceId = '0af7651916cd43dd8448eb211c80319c'
const gatewaySpan = 'b7ad6b7169203331'
const traceparent = `00-${traceId}-${gatewaySpan}-01`
const [childName, fileName, sessionName] = ['민수비밀', 'secret-name-of-a-child.mp4', '첫만남비밀']

const folder = await mkdtemp(join(tmpdir(), 'playtherapy-traces-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

/** A recording whose picture has to be encoded. */
async function recording(): Promise<Buffer> {
  const file = join(folder, 'recording.mp4')
  const inputs = ['testsrc2=size=320x240:rate=25:duration=4', 'sine=duration=4'].flatMap((of) => [
    '-f',
    'lavfi',
    '-i',
    of,
  ])
  await promisify(execFile)('ffmpeg', ['-y', '-loglevel', 'error', ...inputs, '-c:v', 'mpeg4', '-c:a', 'aac', file])
  return readFile(file)
}

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
function tokenOf(userId: number): string {
  const claims = { user_id: userId, exp: Math.floor(Date.now() / 1000) + 600 }
  const input = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`
  return `${input}.${createHmac('sha256', jwtSecret).update(input).digest('base64url')}`
}

/** The bundled media and worker behind a real gateway, with this collector. */
async function start(t: Test, backend: 'redis' | 'postgres', collector: string) {
  const { db, urls } = await testDatabase(t)
  const bucket = await testBucket()
  const queue = testQueue(t, backend, urls.worker)
  const env = {
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    JWT_SECRET: jwtSecret,
    QUEUE_URL: queue.url,
    QUEUE_PREFIX: queue.prefix,
    SCRATCH_DIRECTORY: join(folder, 'scratch'),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector,
  }
  const media = await ownProcess('media', { ...env, DATABASE_URL: urls.media })
  const worker = await ownProcess('worker', { ...env, DATABASE_URL: urls.worker })
  t.teardown(() => Promise.all([media.kill('SIGKILL'), worker.kill('SIGKILL')]))
  await Promise.all([media.restart(), worker.restart()])
  const nginx = await startNginx(await mkdtemp(join(folder, 'nginx-')), {
    media: media.url,
    store: bucket.endpoint ?? '',
  })
  t.teardown(nginx.stop)
  const [owned] = await db.insert(cases).values({ userId: 7, givenName: childName }).returning()
  const caseId = owned?.id ?? 0
  const [session] = await db.insert(sessions).values({ caseId, name: sessionName }).returning()
  const path = `/contents/api/case/${caseId}/session/${session?.id}/video`
  const token = tokenOf(7)
  const upload = async () => {
    const body = new FormData()
    body.set('file', new Blob([await recording()]), fileName)
    const headers = { authorization: `Bearer ${token}`, traceparent }
    return (await fetch(`${nginx.url}${path}?keyword=${childName}`, { method: 'POST', headers, body })).status
  }
  const done = () =>
    until(
      'the end of the encode',
      async () => ({
        rows: await db.select({ state: sessions.encodingStateId }).from(sessions),
        // The row that removes the chunks waits for ten minutes.
        due: (await db.select().from(outbox)).filter(({ availableAt }) => availableAt.getTime() < Date.now() + 60_000),
      }),
      ({ rows, due }) => rows.every(({ state }) => state === 3) && due.length === 0,
    )
  const secrets = [token, token.split('.')[1], jwtSecret, bucket.bucket, bucket.accessKeyId, bucket.secretAccessKey]
  return { db, media, worker, upload, done, secrets }
}

for (const backend of queueBackends)
  t.test(`an upload is one tree from the gateway to the finished recording, on ${backend}`, { skip }, async (t) => {
    const collector = await startCollector(t)
    const { db, media, worker, upload, done, secrets } = await start(t, backend, collector.url)
    t.equal(await upload(), 201)
    await done()
    // What waits is sent at the end.
    t.strictSame([await media.kill('SIGTERM'), await worker.kill('SIGTERM')], [0, 0])

    const mine = collector.spans.filter((span) => span.traceId === traceId)
    const known = new Map(mine.map((span) => [span.spanId, span]))
    const above = (span: ReceivedSpan): string[] => {
      const parent = known.get(span.parentSpanId)
      return parent ? [...above(parent), parent.name] : [span.parentSpanId]
    }
    const request = 'POST /contents/api/case/:case_id/session/:session_id/video'
    for (const span of mine) t.equal(above(span)[0], gatewaySpan, `${span.name} of ${span.service}`)
    t.strictSame(
      mine.filter(({ parentSpanId }) => parentSpanId === gatewaySpan).map(({ name, service }) => [service, name]),
      [['media', request]],
    )
    /** What is above the first span of this name, without the gateway and transactions. */
    const way = (name: string) => {
      const span = mine.find((each) => each.name === name)
      return span && above(span).filter((each) => each !== gatewaySpan && each !== 'transaction')
    }
    const planned = [request, 'publish encode-video', 'job encode-video']
    t.strictSame(way('job encode-video'), planned.slice(0, -1))
    t.strictSame(way('chunk picture'), [...planned, 'publish encode-chunk', 'job encode-chunk'])
    t.match(way('ffmpeg')?.slice(0, 3), planned)
    t.match(way('job finish-video')?.slice(0, 5), [...planned, 'publish encode-chunk', 'job encode-chunk'])
    t.strictSame(way('S3 CreateMultipartUpload') ?? way('S3 PutObject'), [request])
    for (const name of ['insert videos', 'ffprobe', 'S3 GetObject', 'transaction', 'insert rungs']) {
      t.ok(way(name), name)
    }
    const planOf = await db.select({ id: chunks.id }).from(chunks)
    const traced = mine.flatMap(({ name, attributes }) =>
      name.startsWith('chunk ') ? [attributes['playtherapy.chunk_id']] : [],
    )
    t.strictSame([...new Set(traced)].map(Number).toSorted(), planOf.map(({ id }) => id).toSorted())
    t.ok(planOf.length > 1)
    const outcomes = mine.flatMap(({ name, attributes }) =>
      name.startsWith('job ') ? [attributes['playtherapy.outcome']] : [],
    )
    t.ok(
      outcomes.length > 3 && outcomes.every((outcome) => outcome === 'done' || outcome === 'postponed'),
      `${outcomes}`,
    )
    t.strictSame(
      mine.filter(({ failed }) => failed),
      [],
    )

    const sent = collector.bodies.join()
    t.ok(sent.length > 10_000)
    for (const secret of [childName, encodeURIComponent(childName), sessionName, fileName, ...secrets]) {
      t.notOk(sent.includes(`${secret}`), `${secret}`)
    }
    t.notMatch(sent, /https?:\/\/|X-Amz|keyword|\?|\$1|\.mp4|LOCAL\/|of a test|multipart|message|stack/)
    const keys = new Set(collector.spans.flatMap(({ attributes }) => Object.keys(attributes)))
    const texts = new Set([
      'http.request.method',
      'http.route',
      'rpc.system',
      'rpc.service',
      'rpc.method',
      'error.type',
      'playtherapy.outcome',
    ])
    for (const { attributes } of collector.spans) {
      for (const [key, value] of Object.entries(attributes)) {
        const isKind = texts.has(key) || key.startsWith('db.')
        t.ok(isKind || /^\d+$/.test(`${value}`), `${key} is an id, a number or a kind`)
      }
    }
    t.ok(keys.has('playtherapy.video_id') && keys.has('playtherapy.session_id'))
  })

t.test('with a collector that never answers, an upload is encoded and both processes end', { skip }, async (t) => {
  const collector = await startCollector(t, () => {})
  const { media, worker, upload, done } = await start(t, 'postgres', collector.url)
  t.equal(await upload(), 201)
  await done()
  t.strictSame([await media.kill('SIGTERM'), await worker.kill('SIGTERM')], [0, 0])
  t.ok(collector.bodies.length > 0)
})

t.test('no program loads the library of traces at its start', async (t) => {
  const isLibrary = /OTLPTraceExporter|BatchSpanProcessor/
  const chunkFolder = join(dirname(dirname(programPath('media'))), 'chunks')
  const holders = new Set<string>()
  for (const name of await readdir(chunkFolder)) {
    if (name.endsWith('.mjs') && isLibrary.test(await readFile(join(chunkFolder, name), 'utf8'))) holders.add(name)
  }
  t.ok(holders.size > 0, 'it is there')
  for (const program of ['contents', 'media', 'script', 'worker', 'jobs'] as const) {
    const loaded = new Set<string>()
    const load = async (file: string) => {
      if (loaded.has(file)) return
      loaded.add(file)
      const text = await readFile(file, 'utf8')
      t.notMatch(text, isLibrary, `${program} loads ${file}`)
      // Static imports only: they begin a statement, and `import(` does not.
      for (const [, path = ''] of text.matchAll(/(?:from|import)\s*"(\.[^"]+\.mjs)"/g))
        await load(join(dirname(file), path))
    }
    await load(programPath(program))
    t.ok(loaded.size > 1, program)
  }
})
