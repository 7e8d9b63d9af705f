import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { contentsApp } from '@playtherapy/contents/app'
import { mediaApp } from '@playtherapy/media/app'
import { createFileStore, createS3Store, fileRoutes, type S3Settings } from '@playtherapy/object-store'
import { scriptApp } from '@playtherapy/script/app'
import { forkWorker, type Teardown, testDatabase, testHost, until } from '@playtherapy/testing'

/** Makes a recording of so many seconds, by default a small one that needs no transcoding. */
export async function record(seconds: number, size = '160x120', codec = 'libx264') {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-recording-'))
  const file = join(folder, 'clip.mp4')
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=10:duration=${seconds}`]
  const encoder = ['-c:v', codec, '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...picture, ...encoder, file])
  const recorded = Uint8Array.from(await readFile(file))
  await rm(folder, { recursive: true })
  return recorded
}

/** The answer to a request: its status and its body, parsed where it is JSON. */
export type Answer = [status: number, body: unknown]

/**
 * All services over a folder with its presigned URLs, or over a bucket, with a session of therapist 7, and the calls of a
 * client. `startWorker` lets the encodes run.
 */
export async function recordingPlace(t: Teardown, bucket?: S3Settings) {
  const { db, sql, url: databaseUrl, urls, as } = await testDatabase(t)
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-objects-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const inFolder = { directory: join(folder, 'objects'), secret: 'signs the URLs of tests' }
  const served = await testHost(t, fileRoutes({ store: createFileStore({ ...inFolder, publicUrl: 'http://-' }) }))
  const store = bucket ? createS3Store(bucket) : createFileStore({ ...inFolder, publicUrl: served.url })
  t.teardown(() => store.close())
  const resources = { store, phase: 'LOCAL' as const, uploadLimit: 20_000_000 }
  const host = await testHost(t, async (root) => {
    await root.register(contentsApp({ ...resources, db: as('contents'), timeZone: 'Asia/Seoul' }))
    await root.register(mediaApp({ ...resources, db: as('media') }))
    await root.register(scriptApp({ ...resources, db: as('script') }))
  })

  const call = async (method: string, path: string, body?: object | FormData, userId = 7): Promise<Answer> => {
    const isForm = body instanceof FormData
    const response = await fetch(`${host.url}/contents/api/case${path}`, {
      method,
      headers: { ...host.as(userId), ...(body && !isForm && { 'content-type': 'application/json' }) },
      ...(body && { body: isForm ? body : JSON.stringify(body) }),
    })
    const isJson = response.headers.get('content-type')?.startsWith('application/json')
    return [response.status, isJson ? await response.json() : Buffer.from(await response.arrayBuffer())]
  }
  const made = async (path: string, body: object) => {
    const [, answer] = await call('POST', path, body)
    if (typeof answer !== 'object' || answer === null || !('id' in answer)) throw new Error('no id')
    return Number(answer.id)
  }
  const caseId = await made('', { given_name: '지우' })
  const addSession = async (data = {}) =>
    `/${caseId}/session/${await made(`/${caseId}/session`, { data: { name: 'First', ...data } })}`

  const upload = async (session: string, bytes: Uint8Array<ArrayBuffer>) => {
    const body = new FormData()
    body.set('file', new Blob([bytes]), 'recording.mp4')
    return call('POST', `${session}/video`, body)
  }
  const issue = async (session: string) => {
    const [, answer] = await call('GET', `${session}/video/presigned-url`)
    if (typeof answer !== 'object' || answer === null || !('presigned_url' in answer) || !('file_path' in answer)) {
      throw new Error(`no URL: ${JSON.stringify(answer)}`)
    }
    return { url: String(answer.presigned_url), path: String(answer.file_path) }
  }
  const put = async (url: string, body: Uint8Array<ArrayBuffer> | string, type = 'video/mp4') => {
    const response = await fetch(url, { method: 'PUT', body, headers: { 'content-type': type } })
    return { status: response.status, text: await response.text() }
  }
  const read = async (session: string) => {
    const [, answer] = await call('GET', session)
    if (typeof answer !== 'object' || answer === null || !('encoding_state_id' in answer)) throw new Error('no session')
    return { ...answer }
  }
  return {
    ...{ db, sql, store, host, caseId, call, addSession, upload, issue, put, read },
    encoded: (session: string) =>
      until(
        'an encode',
        () => read(session),
        ({ encoding_state_id }) => encoding_state_id === 3 || encoding_state_id === 4,
      ),
    folder,
    databaseUrl,
    startWorker: (env: NodeJS.ProcessEnv = {}, onLog?: (text: string) => void) =>
      forkWorker(
        t,
        {
          ...{ DATABASE_URL: urls.worker, QUEUE_URL: urls.worker, SCRATCH_DIRECTORY: join(folder, 'scratch') },
          ...(bucket
            ? {
                S3_ENDPOINT: bucket.endpoint,
                S3_BUCKET: bucket.bucket,
                S3_ACCESS_KEY_ID: bucket.accessKeyId,
                S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
              }
            : { FILE_STORE_DIRECTORY: inFolder.directory }),
          ...env,
        },
        onLog,
      ),
  }
}
