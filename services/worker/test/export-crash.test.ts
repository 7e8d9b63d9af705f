/** A worker that dies in the middle of an export, when parts of the file are in the object store. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createS3Store, inFolder, originalPath } from '@playtherapy/object-store'
import { announce, caseExports, sessions, videos } from '@playtherapy/schema'
import {
  flakyLink,
  forkWorker,
  type QueueBackend,
  queueBackends,
  seedSession,
  storeBackends,
  testBucket,
  testDatabase,
  testQueue,
  until,
} from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { openExport, seedExport, sha256 } from './export-support.ts'

const mebibyte = 1024 ** 2
const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

async function survives(t: Test, backend: QueueBackend) {
  const { db, urls } = await testDatabase(t)
  const settings = await testBucket()
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const { caseId, sessionId } = await seedSession(db)
  const original = randomBytes(40 * mebibyte)
  const path = originalPath('LOCAL', caseId, sessionId, 1)
  const stored = await store.put(inFolder('video', path), original, { contentType: 'video/mp4' })
  const described = { state: 'encoded', container: 'mp4', storedAt: new Date() } as const
  const [video] = await db
    .insert(videos)
    .values({ sessionId, path, ...described, ...stored })
    .returning()
  await db.update(sessions).set({ videoId: video?.id ?? 0 })
  const id = await seedExport(db, caseId)
  await announce(db, 'export-case', { export_id: id })

  const queue = testQueue(t, backend, urls.worker)
  const link = await flakyLink(t, settings.endpoint ?? '')
  const start = (endpoint = settings.endpoint) =>
    forkWorker(t, {
      ...{ DATABASE_URL: urls.worker, QUEUE_URL: queue.url, QUEUE_PREFIX: queue.prefix },
      ...{ S3_ENDPOINT: endpoint, S3_BUCKET: settings.bucket, S3_REGION: settings.region },
      ...{ S3_ACCESS_KEY_ID: settings.accessKeyId, S3_SECRET_ACCESS_KEY: settings.secretAccessKey },
      ...{ S3_FORCE_PATH_STYLE: 'true', SCRATCH_DIRECTORY: t.testdir() },
    })
  const unfinished = async () => {
    const keys: string[] = []
    for await (const { key } of store.unfinished('export/')) keys.push(key)
    return keys
  }
  const frozen = link.freezeAfter(18 * mebibyte)
  const first = start(link.url)
  await frozen
  const gone = once(first, 'exit')
  first.kill('SIGKILL')
  await gone
  link.cut()
  const [half] = await db.select().from(caseExports)
  t.match(half, { stateId: 2, attempt: 1 }, `${backend}: half done`)
  t.strictSame(await unfinished(), [inFolder('export', half?.path ?? '')], `${backend}: parts of it are stored`)

  start()
  const state = async () => (await db.select().from(caseExports))[0]
  await until('the export', state, (row) => (row?.stateId ?? 0) > 2)
  const row = await state()
  t.match(row, { id, stateId: 3, attempt: 2, failure: null, missing: 0 }, backend)
  const keys: string[] = []
  for await (const { key } of store.list('export/')) keys.push(key)
  t.strictSame([keys, await unfinished()], [[inFolder('export', row?.path ?? '')], []], `${backend}: one file is left`)
  const { files } = await openExport(t, store, row?.path)
  t.ok(
    files.some(([, , , hash]) => hash === sha256(original)),
    `${backend}: and it is whole`,
  )
}

// The lease of the dead worker has to run out, so all wait at once.
t.test('an export whose worker dies is made by the next, and nothing else is left', { skip }, async (t) => {
  await Promise.all(queueBackends.map((backend) => survives(t, backend)))
})
