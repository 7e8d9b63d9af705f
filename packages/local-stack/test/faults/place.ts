import { execFile } from 'node:child_process'
import { createHmac, randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { mediaApp } from '@playtherapy/media/app'
import { createS3Store } from '@playtherapy/object-store'
import { cases, type OpenDatabase, openDatabase, sessions } from '@playtherapy/schema'
import type { Role } from '@playtherapy/schema/migrate'
import {
  disagreements,
  jwtSecret,
  ownProcess,
  type QueueBackend,
  type Teardown,
  type TestDatabase,
  testBucket,
  testDatabase,
  testHost,
  testQueue,
  until,
} from '@playtherapy/testing'
import { startGate } from './gate.ts'

/** Longest time until everything works again after a fault, in milliseconds, beside other tests and on two slow cores. */
const recoveryMs = 180_000

export interface FaultPlace {
  queue?: QueueBackend
  /** Servers that the test brings itself, to hurt them. */
  queueUrl?: string
  database?: OpenDatabase & Pick<TestDatabase, 'urls'>
}

let clip: Promise<Buffer> | undefined

async function record(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-clip-'))
  const file = join(folder, 'clip.mp4')
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10:duration=1']
  const encoder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...picture, ...encoder, file])
  const recorded = await readFile(file)
  await rm(folder, { recursive: true })
  return recorded
}

/** A short recording; a box that players skip fills it up, so that it is stored in several parts. */
export async function makeClip(megabytes = 0): Promise<Buffer> {
  clip ??= record()
  const filler = Buffer.alloc(megabytes * 1024 ** 2 + 8)
  filler.writeUInt32BE(filler.length)
  filler.write('free', 4)
  return Buffer.concat([await clip, filler])
}

function tokenOf(userId: number): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { user_id: userId, exp: Math.floor(Date.now() / 1000) + 3_600 }
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${input}.${createHmac('sha256', jwtSecret).update(input).digest('base64url')}`
}

/** Real processes of ours on a database and a bucket of the test's own, with a gate before the object store. */
export async function faultPlace(t: Teardown, { queue = 'redis', queueUrl, database }: FaultPlace = {}) {
  const data = database ?? (await testDatabase(t))
  const bucket = await testBucket()
  const gate = await startGate(t, bucket.endpoint ?? '')
  const store = createS3Store(bucket)
  t.teardown(() => store.close())
  const scratch = await mkdtemp(join(tmpdir(), 'playtherapy-scratch-'))
  t.teardown(() => rm(scratch, { recursive: true, force: true }))
  const { url, prefix } = queueUrl ? { url: queueUrl, prefix: '{test}' } : testQueue(t, queue, data.urls.worker)
  const shared = {
    S3_ENDPOINT: gate.url,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  }
  const [owned] = await data.db.insert(cases).values({ userId: 7, givenName: '지우' }).returning()
  const addSession = async () => {
    const [session] = await data.db
      .insert(sessions)
      .values({ caseId: owned?.id ?? 0, name: 's' })
      .returning()
    return session?.id ?? 0
  }
  const process = async (program: Role, env: NodeJS.ProcessEnv) => {
    const own = await ownProcess(program, { DATABASE_URL: data.urls[program], ...shared, ...env })
    t.teardown(() => own.kill('SIGKILL'))
    return own
  }
  const pathOf = (session: number) => `/contents/api/case/${owned?.id}/session/${session}/video`

  /** Uploads; answers the status, or 0 without an answer. `pause` is waited for when half of the body is sent. */
  async function upload(media: { url: string }, session: number, clip: Buffer, pause?: () => Promise<unknown>) {
    const boundary = randomUUID()
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${boundary}.mp4"\r\n\r\n`
    const half = Math.floor(clip.length / 2)
    const body = async function* () {
      yield Buffer.from(head)
      yield clip.subarray(0, half)
      await pause?.()
      yield clip.subarray(half)
      yield Buffer.from(`\r\n--${boundary}--\r\n`)
    }
    const headers = {
      authorization: `Bearer ${tokenOf(7)}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
    }
    const answer = await fetch(media.url + pathOf(session), {
      method: 'POST',
      headers,
      body: ReadableStream.from(body()),
      duplex: 'half',
      signal: AbortSignal.timeout(recoveryMs),
    }).catch(() => undefined)
    await answer?.text().catch(() => undefined)
    return answer?.status ?? 0
  }

  /** Time passes for uploads that nobody carries on: their leases of two minutes run out. */
  const leasesRunOut = () => data.sql`update videos set lease_until = now() where state = 'receiving'`

  const settled = async () => {
    let seen = {}
    const agree = async () => {
      const { lost, orphaned, stuck } = await disagreements(data.sql, store)
      seen = { lost, orphaned, stuck }
      return lost.length + orphaned.length + stuck.length === 0
    }
    await until('agreement of rows, objects and jobs', agree).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(seen)}`)
    })
  }
  const encoded = async (session: number) => {
    await until('an encode', async () => {
      const [row] = await data.sql`select 1 from sessions where id = ${session} and encoding_state_id = 3`
      return row !== undefined
    })
  }
  return {
    ...data,
    store,
    gate,
    addSession,
    pathOf,
    authorization: `Bearer ${tokenOf(7)}`,
    upload,
    leasesRunOut,
    encoded,
    settled,
    media: () => process('media', { JWT_SECRET: jwtSecret }),
    /** The same service in this process, where it is not what is hurt. */
    async host(options: { uploadIdleMs?: number } = {}) {
      const own = openDatabase({ url: data.urls.media, max: 8, applicationName: 'media' })
      t.teardown(() => own.close())
      const gated = createS3Store({ ...bucket, endpoint: gate.url })
      t.teardown(() => gated.close())
      return testHost(t, mediaApp({ db: own.db, store: gated, phase: 'LOCAL', uploadLimit: 1024 ** 3, ...options }))
    },
    worker: (env: NodeJS.ProcessEnv = {}) =>
      process('worker', {
        QUEUE_URL: url,
        QUEUE_PREFIX: prefix,
        SCRATCH_DIRECTORY: scratch,
        ORPHAN_GRACE_SECONDS: '2',
        ...env,
      }),
    /** That a new recording is taken and encoded, and that everything agrees in the end. */
    async works(media: { url: string }) {
      const session = await addSession()
      const clip = await makeClip()
      await until('an upload', async () => (await upload(media, session, clip)) === 201)
      await encoded(session)
      await settled()
    },
  }
}
