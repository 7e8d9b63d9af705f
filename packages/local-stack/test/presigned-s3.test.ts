import { contentsApp } from '@playtherapy/contents/app'
import { mediaApp } from '@playtherapy/media/app'
import { createS3Store } from '@playtherapy/object-store'
import { seedSession, testBucket, testDatabase, testHost } from '@playtherapy/testing'
import t from 'tap'
import { publicAddress } from './support.ts'

/** The first bytes of an MP4: enough to be taken for a video. */
const video = Buffer.concat([Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isommp42', 'latin1'), Buffer.alloc(5_000, 1)])

t.test(
  'the client’s upload straight to S3, through an address of its own',
  { skip: !process.env.TEST_S3 },
  async (t) => {
    const { db, sql, as } = await testDatabase(t)
    const bucket = await testBucket(['http://localhost:3000'])
    const publicEndpoint = await publicAddress(t, bucket.endpoint ?? '')
    const store = createS3Store({ ...bucket, publicEndpoint })
    t.teardown(() => store.close())
    const resources = { store, phase: 'LOCAL' as const, uploadLimit: 1024 ** 2 }
    const host = await testHost(t, async (root) => {
      await root.register(contentsApp({ ...resources, db: as('contents'), timeZone: 'Asia/Seoul' }))
      await root.register(mediaApp({ ...resources, db: as('media') }))
    })
    const { caseId, sessionId } = await seedSession(db, 7)
    const session = `${host.url}/contents/api/case/${caseId}/session/${sessionId}`
    const call = async (method: string, url: string, data?: object) => {
      const headers = { ...host.as(7), ...(data && { 'content-type': 'application/json' }) }
      const response = await fetch(url, { method, headers, ...(data && { body: JSON.stringify({ data }) }) })
      const body: unknown = await response.json()
      return { status: response.status, body }
    }
    const issue = async () => {
      const { body } = await call('GET', `${session}/video/presigned-url`)
      if (typeof body !== 'object' || body === null || !('presigned_url' in body) || !('file_path' in body))
        throw new Error('no URL')
      return { url: String(body.presigned_url), path: String(body.file_path) }
    }
    const put = (url: string, headers: Record<string, string> = {}) =>
      fetch(url, {
        method: 'PUT',
        body: video,
        headers: { 'content-type': 'video/mp4', origin: 'http://localhost:3000', ...headers },
      })

    const { url, path } = await issue()
    t.ok(url.startsWith(publicEndpoint), 'signed for the address that browsers reach')
    t.match(path, new RegExp(`^LOCAL/${caseId}/${sessionId}/\\d+-[0-9a-f]{32}\\.mp4$`))

    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin: 'http://localhost:3000',
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'content-type',
      },
    })
    t.equal(preflight.status, 200)
    t.equal(preflight.headers.get('access-control-allow-origin'), 'http://localhost:3000')

    t.match(await call('PUT', session, { name: 'a', origin_video_url: path }), {
      status: 400,
      body: { error_code: 1000 },
    })
    t.equal((await put(url, { 'content-type': 'text/plain' })).status, 403)
    t.equal((await put(url.replace(/Signature=../, 'Signature=00'))).status, 403)
    t.equal((await put(url.replace('.mp4', '9.mp4'))).status, 403)
    const stored = await put(url)
    t.equal(stored.status, 200)
    t.equal(stored.headers.get('access-control-allow-origin'), 'http://localhost:3000')

    t.match(await call('PUT', session, { name: 'a', video_length: '00:00:02', origin_video_url: path }), {
      status: 200,
      body: { origin_video_url: path, encoding_state_id: 1, video_length: '00:00:02' },
    })
    t.match(await call('PUT', session, { name: 'b', origin_video_url: path }), { status: 200, body: { name: 'b' } })
    const rows = await sql`select name, payload from outbox where name = 'encode-video'`
    t.equal(rows.length, 1, 'announced once')
  },
)
