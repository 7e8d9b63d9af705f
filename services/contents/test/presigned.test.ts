import { announceOriginal, issuePresigned } from '@playtherapy/intake'
import { inFolder } from '@playtherapy/object-store'
import { outbox, sessions, videos } from '@playtherapy/schema'
import { testCause, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { type Contents, contents } from './support.ts'

/** The first box of an MP4 file. */
const mp4 = Buffer.from('\0\0\0\x18ftypisom\0\0\x02\0isomiso2', 'latin1')

const encodes = ({ db }: Contents) => db.$count(outbox, eq(outbox.name, 'encode-video'))

/** Makes a session, and functions that issue keys for it, upload to them and announce the uploads. */
async function presigned(t: Parameters<typeof contents>[0], options?: Parameters<typeof contents>[1]) {
  const service = await contents(t, options)
  const { db, store, call } = service
  const caseId = await service.newCase(7)
  const sessionId = await service.newSession(7, caseId)
  const path = `/${caseId}/session/${sessionId}`
  const issue = async (session = sessionId) =>
    (await issuePresigned({ db, store, phase: 'LOCAL' }, { caseId, sessionId: session, cause: testCause('r') }))
      .file_path
  const upload = (key: string, bytes: Uint8Array) =>
    store.putUpload(
      inFolder('video', key),
      (async function* () {
        yield bytes
      })(),
      { contentType: 'video/mp4' },
    )
  const put = (origin_video_url: string, more = {}) =>
    call(7, 'PUT', path, { data: { name: 'New', video_length: '00:42:10', origin_video_url, ...more } })
  return { ...service, service, caseId, sessionId, path, issue, upload, put }
}

t.test('a PUT with the key of a finished upload starts the encode', async (t) => {
  const { db, service, sessionId, path, issue, upload, put, call } = await presigned(t)
  const key = await issue()
  t.match(await call(7, 'GET', path), [200, { origin_video_url: null, encoding_state_id: 5 }])
  const { etag } = await upload(key, mp4)
  const answer = await put(key)
  t.match(answer, [200, { origin_video_url: key, encoding_state_id: 1, name: 'New', video_length: '00:42:10' }])
  t.strictSame(await call(7, 'GET', path), answer)
  const [video] = await db.select().from(videos)
  t.match(video, { sessionId, state: 'stored', size: mp4.length, etag, container: 'mp4' })
  t.equal(await encodes(service), 1)
  const job = await db.select({ payload: outbox.payload }).from(outbox).where(eq(outbox.name, 'encode-video'))
  t.same(job, [{ payload: { video_id: video?.id } }])

  await t.rejects(upload(key, Buffer.concat([mp4, mp4])), { name: 'ObjectExistsError' })
  await db.update(sessions).set({ encodingStateId: 2 })
  t.match(
    await put(key, { name: 'Again' }),
    [200, { name: 'Again', encoding_state_id: 2, origin_video_url: key }],
    'a used key changes nothing more',
  )
  t.match(await db.select().from(videos), [{ etag, size: mp4.length }], 'an announced recording cannot be replaced')
  t.equal(await encodes(service), 1)
})

t.test('a recording of an old camcorder is taken', async (t) => {
  const { db, issue, upload, put } = await presigned(t)
  const key = await issue()
  await upload(key, Buffer.from('RIFF\0\0\x10\0AVI LIST'))
  t.match(await put(key), [200, { encoding_state_id: 1 }])
  t.match(await db.select().from(videos), [{ container: 'avi' }])
})

t.test('a key that is not an unused one of this session is ignored', async (t) => {
  const { service, caseId, path, issue, upload, put, call, newSession } = await presigned(t)
  const foreign = await issue(await newSession(7, caseId))
  await upload(foreign, mp4)
  for (const key of [foreign, '', 'x', 'LOCAL/1/1/1.mp4', '../../etc/passwd', `video/${await issue()}`, '%', 'a\\b']) {
    t.match(await put(key), [200, { name: 'New', origin_video_url: null, encoding_state_id: 5 }], key)
  }
  const unused = await issue()
  await upload(unused, mp4)
  t.match(await call(8, 'PUT', path, { data: { name: 'x', origin_video_url: unused } }), [400, { error_code: 2 }])
  t.match(await call(7, 'POST', `/${caseId}/session`, { data: { name: 'x', origin_video_url: unused } }), [
    200,
    { origin_video_url: null },
  ])
  t.equal(await encodes(service), 0)
})

t.test('an invalid upload is refused, and nothing changes', async (t) => {
  const { service, path, issue, upload, put, call } = await presigned(t, { uploadLimit: 1_000 })
  const before = await call(7, 'GET', path)
  const failed = (key: string, type: string, msg: RegExp) => [
    400,
    {
      message: `File [${key.split('/').at(-1)}] Upload failed.`,
      error_code: 1000,
      detail: [{ loc: ['body', 'data', 'origin_video_url'], msg, type }],
    },
  ]
  const absent = await issue()
  t.match(await put(absent), failed(absent, 'not_uploaded', /PUT/))
  const text = await issue()
  await upload(text, Buffer.from('#EXTM3U\nhttp://somewhere/\n'))
  t.match(await put(text), failed(text, 'not_a_video', /looks like text; a recording can be MP4/))
  const empty = await issue()
  await upload(empty, Buffer.alloc(0))
  t.match(await put(empty), failed(empty, 'not_uploaded', /PUT/))
  const large = await issue()
  await upload(large, Buffer.concat([mp4, Buffer.alloc(1_000)]))
  t.match(await put(large), [413, { error_code: 9 }])
  t.strictSame(await call(7, 'GET', path), before, 'name and length are unchanged')
  t.equal(await encodes(service), 0)
  await upload(absent, mp4)
  t.match(await put(absent), [200, { origin_video_url: absent }], 'it can be announced once the object exists')
})

t.test('until it is announced an upload may be repeated, also after a refusal', async (t) => {
  const { db, issue, upload, put } = await presigned(t)
  const key = await issue()
  await upload(key, Buffer.from('no video'))
  t.match(await put(key), [400, { error_code: 1000 }])
  await upload(key, mp4)
  const last = Buffer.concat([mp4, mp4])
  await upload(key, last)
  t.match(await put(key), [200, { origin_video_url: key, encoding_state_id: 1 }])
  t.match(await db.select().from(videos), [{ state: 'stored', size: last.length, leaseUntil: null }])
})

t.test('an announcement whose process died can be made again', async (t) => {
  const { db, issue, upload, put } = await presigned(t)
  const dead = await issue()
  await upload(dead, mp4)
  await db.update(videos).set({ leaseUntil: sql`now() + interval '1 second'` }).where(eq(videos.path, dead))
  t.match(await put(dead), [200, { origin_video_url: dead }], 'once its lease has run out')
})

t.test('a slow copy is answered in time, goes on alone, and is announced when it ends', async (t) => {
  const { db, store, service, path, issue, upload, put, call } = await presigned(t, { announceMs: 200 })
  const key = await issue()
  const { etag } = await upload(key, mp4)
  const { adoptUpload } = store
  let copies = 0
  let goOn = () => {}
  const slow = new Promise<void>((resolve) => {
    goOn = resolve
  })
  store.adoptUpload = async (...copied) => {
    copies += 1
    await slow
    return adoptUpload(...copied)
  }
  const busy = [503, { error_code: 10 }]
  t.match(await put(key), busy)
  t.match(await Promise.all([put(key), put(key)]), [busy, busy], 'nobody else begins a copy')
  t.match(await call(7, 'PUT', path, { data: { name: 'Since', video_length: null } }), [200, { name: 'Since' }])
  t.equal(copies, 1)
  goOn()
  await until(
    'the announcement',
    () => encodes(service),
    (count) => count === 1,
  )
  t.match(await db.select().from(videos), [{ state: 'stored', etag, leaseUntil: null }])
  t.match(await call(7, 'GET', path), [200, { name: 'Since', origin_video_url: key }], 'and changes nothing else')
  t.match(await put(key), [200, { name: 'New', origin_video_url: key, encoding_state_id: 1 }])
  t.equal(await encodes(service), 1)
})

t.test('an announcement that lost its lease neither registers nor ends the lease of another one', async (t) => {
  const { db, store, service, issue, upload, put } = await presigned(t)
  const key = await issue()
  await upload(key, mp4)
  const { adoptUpload } = store
  const later = new Date(Date.now() + 60_000)
  store.adoptUpload = async (...copied) => {
    const adopted = await adoptUpload(...copied)
    await db.update(videos).set({ leaseUntil: later })
    return adopted
  }
  await put(key)
  t.match(await db.select().from(videos), [{ state: 'presigned', leaseUntil: later }])
  t.equal(await encodes(service), 0)
})

t.test('nobody waits for an announcement whose client has disconnected', async (t) => {
  const { db, service, issue, upload, sessionId, store } = await presigned(t)
  const key = await issue()
  await upload(key, mp4)
  await db.update(videos).set({ leaseUntil: sql`now() + interval '1 minute'` })
  const signal = AbortSignal.timeout(100)
  await t.rejects(announceOriginal({ db, store }, { sessionId, path: key, limit: 1_000_000, signal }), {
    name: 'StillAnnouncedError',
  })
  t.equal(await encodes(service), 0)
})

t.test('ten announcements at once start one encode', async (t) => {
  const { service, issue, upload, put } = await presigned(t)
  const key = await issue()
  await upload(key, mp4)
  const answers = await Promise.all(Array.from({ length: 10 }, () => put(key)))
  for (const answer of answers) t.match(answer, [200, { origin_video_url: key, encoding_state_id: 1 }])
  t.equal(await encodes(service), 1)
})

t.test('the newer of two uploads becomes current, however late the older is announced', async (t) => {
  const { db, issue, upload, put } = await presigned(t)
  const older = await issue()
  const newer = await issue()
  await upload(older, mp4)
  await upload(newer, mp4)
  t.match(await put(newer), [200, { origin_video_url: newer }])
  t.match(await put(older), [200, { origin_video_url: newer }])
  t.match(await db.select({ state: videos.state }).from(videos).where(eq(videos.path, older)), [
    { state: 'superseded' },
  ])
})
