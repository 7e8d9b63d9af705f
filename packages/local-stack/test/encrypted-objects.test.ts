/** Whatever writes an object asks for its encryption: all services and a worker, on a real bucket. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { contentsApp } from '@playtherapy/contents/app'
import { mediaApp } from '@playtherapy/media/app'
import { createS3Store, type S3Settings } from '@playtherapy/object-store'
import { nodeOptions, programPath } from '@playtherapy/programs'
import { sessions } from '@playtherapy/schema'
import { scriptApp } from '@playtherapy/script/app'
import {
  encrypted,
  encryptionsIn,
  forkWorker,
  jwtSecret,
  kmsKey,
  seedSession,
  storeBackends,
  testBucket,
  testDatabase,
  testHost,
  testQueue,
  until,
} from '@playtherapy/testing'
import { startProvider } from '@playtherapy/testing/provider'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { publicAddress } from './support.ts'

const Issued = Type.Object({ presigned_url: Type.String(), file_path: Type.String() })
const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

const environment = (url: string, bucket: S3Settings, keyId = kmsKey) => ({
  DATABASE_URL: url,
  QUEUE_URL: url,
  JWT_SECRET: jwtSecret,
  S3_ENDPOINT: bucket.endpoint,
  S3_BUCKET: bucket.bucket,
  S3_ACCESS_KEY_ID: bucket.accessKeyId,
  S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  S3_ENCRYPTION: 'SSE-KMS',
  S3_ENCRYPTION_KEY_ID: keyId,
})

/** What writes objects, by the keys that these get. A new writer is added here. */
const writers: Record<string, RegExp> = {
  'an upload, also one in several calls': /^video\/LOCAL\/\d+\/\d+\/\d+-[0-9a-f]{32}\.mp4$/,
  'a presigned upload': /^video\/uploads\/video\/LOCAL\/[^~]+$/,
  'a tail': /^video\/uploads\/video\/LOCAL\/.+~/,
  'a chunk': /\/chunk_/,
  'a rung': /\/rung_/,
  'a rendition': /\/encoded_/,
  'the sound for a transcriber': /\/audio_/,
  'a poster': /\/poster_/,
  'a storyboard': /\/storyboard_/,
  'a script': /^script\//,
  'a report': /^analyze_report\//,
  'the mark of the installation': /^installation\//,
}

/** The head of the audit trail, which a worker writes once an hour, and so perhaps not during the test. */
const hourly = /^audit\//

t.test('every object of an installation is encrypted, whatever wrote it', { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-encrypted-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const record = async (seconds: number) => {
    const file = join(folder, `${seconds}.mp4`)
    const sources = [`testsrc2=size=160x120:rate=5:duration=${seconds}`, `sine=duration=${seconds}`]
    const inputs = sources.flatMap((source) => ['-f', 'lavfi', '-i', source])
    await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...inputs, '-c:v', 'mpeg4', '-c:a', 'aac', file])
    return readFile(file)
  }
  // The long one is encoded in several chunks, so that their files are joined.
  const [long, short] = await Promise.all([record(62), record(1)])

  const database = await testDatabase(t)
  const { db } = database
  const bucket = encrypted(await testBucket())
  // Ceph 16 encrypts nothing by default, so a gateway asks for the encryption of what browsers bring.
  const publicEndpoint = await publicAddress(t, bucket.endpoint ?? '', undefined, {
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': kmsKey,
  })
  const store = createS3Store({ ...bucket, publicEndpoint })
  t.teardown(() => store.close())
  const resources = { db, store, phase: 'LOCAL' as const, uploadLimit: 20_000_000 }
  const host = await testHost(t, async (root) => {
    await root.register(contentsApp({ ...resources, timeZone: 'Asia/Seoul' }))
    await root.register(mediaApp(resources))
    await root.register(scriptApp(resources))
  })
  const { transcriber } = await startProvider(t, (response) => {
    response.end(JSON.stringify({ segments: [{ start: 0, end: 1.5, text: '무서워요.' }] }))
  })
  const { prefix } = testQueue(t, 'postgres', database.url)
  forkWorker(t, {
    ...environment(database.url, bucket),
    QUEUE_PREFIX: prefix,
    SCRATCH_DIRECTORY: join(folder, 'scratch'),
    TRANSCRIBER_URL: transcriber.url,
    TRANSCRIBER_MODEL: 'ears',
  })

  const as = host.as(7)
  const newSession = async () => {
    const { caseId, sessionId } = await seedSession(db, 7)
    return `${host.url}/contents/api/case/${caseId}/session/${sessionId}`
  }
  const form = (name: string, body: Buffer | string, fileName: string) => {
    const data = new FormData()
    data.set(name, new Blob([body]), fileName)
    return data
  }
  const json = { ...as, 'content-type': 'application/json' }

  const uploaded = await newSession()
  t.match(await fetch(`${uploaded}/video`, { method: 'POST', headers: as, body: form('file', long, 'long.mp4') }), {
    status: 201,
  })

  const presigned = await newSession()
  const issue = async (session: string) =>
    Value.Parse(Issued, await (await fetch(`${session}/video/presigned-url`, { headers: as })).json())
  const brought = { method: 'PUT', body: short, headers: { 'content-type': 'video/mp4' } }
  const issued = await issue(presigned)
  t.match(await fetch(issued.presigned_url, brought), { status: 200 })
  const announced = JSON.stringify({ data: { name: 'a', origin_video_url: issued.file_path } })
  t.match(await fetch(presigned, { method: 'PUT', headers: json, body: announced }), { status: 200 })
  // It is never announced, so that it stays where it was brought.
  t.match(await fetch((await issue(await newSession())).presigned_url, brought), { status: 200 })

  const tus = { ...as, 'tus-resumable': '1.0.0' }
  const inCalls = await newSession()
  const lengthOf = (bytes: number) => ({ 'upload-length': `${bytes}`, 'upload-metadata': 'filename dGFsay5tcDQ=' })
  const created = await fetch(`${inCalls}/video/tus`, {
    method: 'POST',
    headers: { ...tus, ...lengthOf(short.length) },
  })
  const upload = new URL(created.headers.get('location') ?? '', host.url)
  const patch = (from: number, to: number) => {
    const headers = { ...tus, 'upload-offset': `${from}`, 'content-type': 'application/offset+octet-stream' }
    return fetch(upload, { method: 'PATCH', headers, body: short.subarray(from, to) })
  }
  t.match(await patch(0, 5_000), { status: 204 })

  t.match(
    await fetch(`${uploaded}/script`, {
      method: 'POST',
      headers: as,
      body: form('script', JSON.stringify({ scripts: [] }), 'a.json'),
    }),
    { status: 200 },
  )
  const report = { category: 'Emotion Reflection', descriptions: 'b', level: 1, interactions: [] }
  const delivered = await fetch(`${uploaded}/analyze-report`, {
    method: 'POST',
    headers: { ...host.withClaims({ scope: 'reports:write' }), 'content-type': 'application/json' },
    body: JSON.stringify({ reports: { 'Emotion Reflection': report } }),
  })
  t.equal(delivered.status, 200)

  await until(
    'the encodes',
    () => db.select().from(sessions),
    (all) => all.filter(({ encodingStateId }) => encodingStateId === 3).length === 2,
  )
  const found = await until(
    'the sound',
    () => encryptionsIn(t, bucket),
    (objects) => [...objects.keys()].some((key) => /\/poster_/.test(key)),
  )
  for (const [key, how] of found) t.equal(how, `aws:kms ${kmsKey}`, key)
  for (const [what, pattern] of Object.entries(writers))
    t.ok(
      [...found.keys()].some((key) => pattern.test(key)),
      what,
    )
  t.same(
    [...found.keys()].filter((key) => ![...Object.values(writers), hourly].some((pattern) => pattern.test(key))),
    [],
    'no writer that is not known',
  )
  t.match(await patch(5_000, short.length), { status: 204 })
})

t.test('no process starts where the bucket does not encrypt as the settings say', { skip }, async (t) => {
  const { url } = await testDatabase(t)
  const bucket = await testBucket()
  // The three services have one way to start.
  const programs = ['contents', 'worker', 'prepare-bucket'] as const
  const ends = programs.map(async (program) => {
    const env = { PATH: process.env.PATH, PORT: '0', ...environment(url, bucket, 'no-such-key') }
    const run = promisify(execFile)(process.execPath, [...nodeOptions, programPath(program)], {
      env,
      timeout: 30_000,
    })
    return run.then(
      () => ({ code: 0, stderr: '' }),
      (error: unknown) => Object(error),
    )
  })
  for (const [index, end] of (await Promise.all(ends)).entries()) {
    t.equal(end.code, 1, `${programs[index]}`)
    t.match(
      end.stderr,
      /^\S+: The object store does not encrypt as S3_ENCRYPTION says: it refuses an object with the encryption \(403 \w+\)\. Set up/m,
    )
  }
  t.equal((await encryptionsIn(t, bucket)).size, 0)
})
