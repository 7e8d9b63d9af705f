import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { cases, outbox, sessions, videos } from '@playtherapy/schema'
import { storeBackends, testStore, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { type Answer, clip, closing, form, isNothing, nothing, partOf, storeThatIsDown, testMedia } from './support.ts'

const seen = ({ status, body }: Answer) => [status, body]
const stored = [201, { msg: 's3 upload start!' }]
const invalid = (loc: string[]) => [422, { error_code: 8, detail: [{ loc }] }]

for (const backend of storeBackends) {
  t.test(`${backend}: a recording is stored and its encode announced`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const bytes = clip(700_000)
    const answer = await media.upload(
      form(['note', 'a field beside it'], ['file', bytes, '놀이 1.mp4'], ['after', 'x']),
      {
        'x-request-id': 'upload-1',
      },
    )
    t.same(seen(answer), stored)
    const [video] = await media.db.select().from(videos)
    t.match(video, {
      sessionId: media.sessionId,
      state: 'stored',
      path: new RegExp(`^LOCAL/${media.caseId}/${media.sessionId}/${video?.id}-[0-9a-f]{32}\\.mp4$`),
      fileName: '놀이 1.mp4',
      container: 'mp4',
      size: bytes.length,
      leaseUntil: null,
      storedAt: Date,
    })
    const kept = await buffer(await media.store.get(`video/${video?.path}`, { ifMatch: video?.etag ?? '' }))
    t.equal(kept.compare(bytes), 0, 'the bytes are those sent')
    const [session] = await media.db.select().from(sessions)
    t.match(session, { videoId: video?.id, encodingStateId: 1 })
    const announced = await media.db.select().from(outbox)
    t.match(announced, [{ name: 'encode-video', payload: { video_id: video?.id }, requestId: 'upload-1' }])
    t.equal(announced.length, 1)
    const state = await fetch(`${media.url}/state`, { headers: media.auth })
    t.match(await state.json(), { state: 'stored', progress: 0, failure: null, size: bytes.length })
  })

  t.test(`${backend}: recordings of old camcorders are taken`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const starts = { avi: Buffer.from('RIFF\0\0\x10\0AVI LIST'), mpegps: Buffer.from('000001ba4400040004', 'hex') }
    for (const [container, start] of Object.entries(starts)) {
      const bytes = Buffer.concat([start, Buffer.alloc(10_000)])
      t.same(seen(await media.upload(form(['file', bytes, `${container}.mp4`]))), stored, container)
    }
    t.match(await media.db.select().from(videos).orderBy(videos.id), [{ container: 'avi' }, { container: 'mpegps' }])
  })

  t.test(`${backend}: a new recording changes only the encoding state of its session`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    await media.upload(form(['file', clip()]))
    await media.upload(form(['file', clip()]))
    const [older, newer] = await media.db.select().from(videos).orderBy(videos.id)
    const [session] = await media.db.select().from(sessions)
    t.match(session, { videoId: newer?.id, encodingStateId: 1, scriptStateId: 5, analyzeStateId: 5 })
    t.equal(older?.state, 'stored', 'the old one is removed only when the new one is encoded')
  })

  t.test(`${backend}: a body without exactly one recording is refused, and nothing is left`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend), uploadLimit: 1_000_000 })
    const name = `${'a'.repeat(300)}\u202e.mp4`
    const refused: [string, Buffer, unknown[], Record<string, string>?][] = [
      ['not multipart', Buffer.from('{}'), invalid(['body']), { 'content-type': 'application/json' }],
      [
        'multipart without a boundary',
        form(['file', clip()]),
        invalid(['body']),
        { 'content-type': 'multipart/form-data' },
      ],
      ['no part', form(), invalid(['body', 'file'])],
      ['a field alone', form(['file', 'text']), invalid(['body', 'file'])],
      ['a file elsewhere', form(['video', clip()]), invalid(['body', 'file'])],
      ['an empty file', form(['file', Buffer.alloc(0)]), invalid(['body', 'file'])],
      ['a second file', form(['file', clip()], ['file', clip()]), invalid(['body', 'file'])],
      ['a second file elsewhere', form(['file', clip()], ['video', clip()]), invalid(['body', 'file'])],
      [
        'too many fields',
        form(['file', clip()], ...Array.from({ length: 40 }, () => ['f', 'x'] as ['f', 'x'])),
        invalid(['body']),
      ],
      ['no end', form(['file', clip()]).subarray(0, -8), invalid(['body'])],
      ['an end inside the file', form(['file', clip()]).subarray(0, 50_000), invalid(['body'])],
      ['an end inside the sniffed bytes', form(['file', clip()]).subarray(0, 1_000), invalid(['body'])],
      [
        'no video',
        form(['file', Buffer.alloc(50_000, 'text '), 'a.mp4']),
        [400, { message: 'File [a.mp4] Upload failed.', error_code: 1000 }],
      ],
      [
        'a long name',
        form(['file', Buffer.from('x'), name]),
        [400, { message: `File [${'a'.repeat(100)}] Upload failed.`, error_code: 1000 }],
      ],
      ['a byte over the limit', form(['file', clip(1_000_001)]), [413, { error_code: 9 }]],
      ['a first chunk over the limit, declared', form(['file', clip(4_000_000)]), [413, { error_code: 9 }]],
    ]
    for (const [what, body, wanted, headers] of refused) {
      const answer = await media.upload(body, { 'content-length': String(body.length), ...headers })
      t.match(seen(answer), wanted, what)
      t.same(await media.left(), nothing, `${what}: nothing is left`)
      const chunked = await media.upload(body, headers)
      t.match(seen(chunked), wanted, `${what}, without a length`)
      t.same(await media.left(), nothing, `${what}, without a length: nothing is left`)
    }
    t.same(seen(await media.upload(form(['file', clip(1_000_000)]))), stored, 'exactly the limit is accepted')
  })

  t.test(`${backend}: an upload whose client disconnects leaves nothing`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const bytes = clip(18_000_000)
    const begun = () => until('an upload', media.left, ({ rows }) => rows.length > 0)
    const cut = form(['file', bytes])
    for (const sent of [1, 100, 5_000, 250_000, 9_000_000, cut.length - 4]) {
      const upload = media.open()
      await upload.write(cut.subarray(0, sent))
      if (sent > 4_500) await begun()
      upload.request.destroy()
      await t.resolves(until('the removal', media.left, isNothing), `disconnected after ${sent} bytes`)
    }
    const declared = media.open({ 'content-length': String(cut.length) })
    await declared.write(cut.subarray(0, cut.length / 2))
    await begun()
    t.match(await (await fetch(`${media.url}/state`, { headers: media.auth })).json(), {
      state: 'receiving',
      size: null,
    })
    declared.request.destroy()
    t.same(await until('the removal', media.left, isNothing), nothing, 'disconnected, with a Content-Length')
    t.equal(await media.store.abortUploads(''), 0, 'no unfinished upload is left')
  })

  t.test(
    `${backend}: of two uploads the one that began later becomes current, however slow the other is`,
    async (t) => {
      const media = await testMedia(t, { store: await testStore(t, backend) })
      const slow = clip(300_000)
      const first = media.open()
      await first.write(Buffer.concat([Buffer.from(partOf('file', 'first.mp4')), slow.subarray(0, 200_000)]))
      await until('an upload', media.left, ({ rows }) => rows.length === 1)
      t.same(seen(await media.upload(form(['file', clip(), 'second.mp4']))), stored)
      first.request.end(Buffer.concat([slow.subarray(200_000), Buffer.from(closing)]))
      t.same(seen(await first.answer), stored)
      const [older, newer] = await media.db.select().from(videos).orderBy(videos.id)
      t.match(
        [older, newer],
        [
          { fileName: 'first.mp4', state: 'superseded' },
          { fileName: 'second.mp4', state: 'stored' },
        ],
      )
      t.match((await media.db.select().from(sessions))[0], { videoId: newer?.id, encodingStateId: 1 })
      t.match(await media.db.select().from(outbox).orderBy(outbox.id), [
        { name: 'encode-video', payload: { video_id: newer?.id } },
        { name: 'delete-superseded', payload: { session_id: media.sessionId } },
      ])
    },
  )

  t.test(`${backend}: an upload fails when its session or case is deleted meanwhile`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    for (const remove of [
      (ids: { sessionId: number }) => media.db.delete(sessions).where(eq(sessions.id, ids.sessionId)),
      (ids: { caseId: number }) => media.db.delete(cases).where(eq(cases.id, ids.caseId)),
    ]) {
      const ids = await media.addSession(7)
      const upload = media.open({}, media.pathOf(ids))
      const bytes = clip(300_000)
      await upload.write(Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), bytes.subarray(0, 200_000)]))
      await until('an upload', media.left, ({ rows }) => rows.length === 1)
      await remove(ids)
      upload.request.end(Buffer.concat([bytes.subarray(200_000), Buffer.from(closing)]))
      t.match(seen(await upload.answer), [400, { error_code: 3 }])
      t.same(await media.left(), nothing)
    }
    t.same(await media.db.select().from(outbox), [], 'nothing was announced')
  })

  t.test(`${backend}: concurrent uploads do not mix their bytes`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const clips = Array.from({ length: 12 }, () => clip(600_000))
    const answers = await Promise.all(clips.map((bytes) => media.upload(form(['file', bytes]))))
    t.ok(answers.every(({ status }) => status === 201))
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    const rows = await media.db.select().from(videos)
    const kept = await Promise.all(
      rows.map(async ({ path }) => hash(await buffer(await media.store.get(`video/${path}`)))),
    )
    t.same(kept.sort(), clips.map(hash).sort())
    const [session] = await media.db.select().from(sessions)
    t.equal(session?.videoId, Math.max(...rows.map(({ id }) => id)))
  })

  t.test(`${backend}: a closing host waits until aborted uploads have cleaned up`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const upload = media.open()
    await upload.write(Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), clip(200_000)]))
    await until('an upload', media.left, ({ rows }) => rows.length === 1)
    const closed = media.host.close()
    upload.request.destroy()
    await closed
    t.same(await media.left(), nothing)
  })
}

t.test('a Content-Length over the limit is refused before the body is sent', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const upload = media.open({ 'content-length': '3000000000' })
  upload.request.flushHeaders()
  t.match(seen(await upload.answer), [413, { error_code: 9 }])
  upload.request.destroy()
})

t.test('token, case and session are checked before the body is sent', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const other = await media.addSession(8)
  const crossed = { caseId: media.caseId, sessionId: other.sessionId }
  const refused: [string, Record<string, string>, unknown[]][] = [
    [media.path, { authorization: 'Bearer undefined' }, [401, { error_code: 0 }]],
    [media.path, media.host.as(8), [400, { error_code: 2 }]],
    [media.pathOf(other), {}, [400, { error_code: 2 }]],
    [media.pathOf(crossed), {}, [400, { error_code: 3 }]],
    [media.pathOf({ ...crossed, sessionId: 999_999 }), {}, [400, { error_code: 3 }]],
    [media.path.replace(`case/${media.caseId}`, 'case/NaN'), {}, [422, { error_code: 8 }]],
  ]
  for (const [path, headers, wanted] of refused) {
    for (const [method, route] of [
      ['GET', path],
      ['GET', `${path}/state`],
      ['GET', `${path}/presigned-url`],
    ] as const) {
      const answer = await fetch(media.host.url + route, { method, headers: { ...media.auth, ...headers } })
      t.match([answer.status, await answer.json()], wanted, `${method} ${route}`)
    }
    const head = await fetch(media.host.url + path, { method: 'HEAD', headers: { ...media.auth, ...headers } })
    t.equal(head.status, wanted[0], `HEAD ${path}`)
    const upload = media.open({ ...headers, 'content-length': '900000' }, path)
    upload.request.flushHeaders()
    t.match(seen(await upload.answer), wanted, `POST ${path}`)
    upload.request.destroy()
  }
  t.same(await media.left(), nothing)
})

t.test('an upload keeps nothing of what is stored in memory', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadLimit: 1024 ** 3 })
  const upload = media.open()
  await upload.write(Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), clip()]))
  const part = Buffer.alloc(1024 ** 2)
  const before = process.memoryUsage().arrayBuffers
  for (let sent = 0; sent < 300; sent++) await upload.write(part)
  const kept = Math.round((process.memoryUsage().arrayBuffers - before) / 1024 ** 2)
  t.ok(kept < 150, `${kept} MiB of 300 MiB`)
  upload.request.destroy()
  await upload.answer.catch(() => {})
})

t.test('a client that stops sending gets 408', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadIdleMs: 200 })
  const places: [string, Buffer | string][] = [
    ['before the first part', '--'],
    ['inside the file', Buffer.concat([Buffer.from(partOf('file', 'a.mp4')), clip()])],
    ['after the file', form(['file', clip()]).subarray(0, -6)],
  ]
  for (const [where, bytes] of places) {
    const upload = media.open()
    await upload.write(bytes)
    t.equal((await upload.answer).status, 408, where)
    upload.request.destroy()
    t.same(await until('the removal', media.left, isNothing), nothing, `${where}: nothing is left`)
  }
})

t.test('a body on which the parser waits for itself ends, too', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadIdleMs: 200 })
  const file = form(['file', clip(700_000)])
  const odd = ['', 'content-disposition: attachment; name="q"\r\n', 'content-disposition: form-data; name="a\nb"\r\n']
  for (const head of odd) {
    for (const size of [10, 70_000, 300_000, 3_000_000]) {
      const other = `${closing.slice(2, -4)}\r\nx-note: none\r\n${head}\r\n${'y'.repeat(size)}${closing}`
      const body = Buffer.concat([file.subarray(0, file.lastIndexOf(closing.slice(2))), Buffer.from(other)])
      const answer = await media.upload(body).catch(() => undefined)
      t.ok(
        !answer || [201, 408, 422].includes(answer.status),
        `${size} bytes behind the file: ${answer?.status ?? 'cut'}`,
      )
    }
  }
})

t.test('the connection of an endless body without a file is closed', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadLimit: 10_000 })
  const upload = media.open()
  const cut = t.rejects(upload.answer, 'the connection ends')
  const junk = Buffer.alloc(65_536, 'junk')
  for (let sent = 0; sent < 40 && !upload.request.destroyed; sent++) {
    await Promise.race([upload.write(junk), upload.answer.catch(() => {})])
  }
  await cut
  t.same(await media.left(), nothing)
})

t.test('a connection can be reused after successful and after failed uploads', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const send = async (bytes: Buffer) => {
    const body = new FormData()
    body.set('file', new Blob([bytes]), 'a.mp4')
    const answer = await fetch(media.url, { method: 'POST', headers: media.auth, body })
    await answer.arrayBuffer()
    return answer.status
  }
  t.equal(await send(clip(900_000)), 201)
  t.equal(await send(Buffer.alloc(900_000)), 400)
  t.equal(await send(clip(900_000)), 201)
})

t.test('a file that is no video is refused with what it is and what is taken', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const files: [name: string, bytes: Buffer, msg: RegExp][] = [
    [
      'photo.jpg',
      Buffer.from('ffd8ffe000104a46494600010100000100010000ffdb', 'hex'),
      /^looks like JPG \(image\/jpeg\); /,
    ],
    ['film.wmv', Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex'), /^looks like Windows Media/],
    ['sound.m4a', Buffer.from('0000001c667479704d344120000000004d34412069736f6d69736f32', 'hex'), /^looks like M4A /],
    ['notes.mp4', Buffer.from('가나다 notes\r\n'.repeat(2_000)).subarray(0, 5_000), /^looks like text; /],
    ['zeros.mp4', Buffer.alloc(5_000), /^is in no format/],
    ['x.mp4', Buffer.from('x'), /^looks like text; /],
  ]
  for (const [name, bytes, msg] of files) {
    const answer = await media.upload(form(['file', bytes, name]))
    t.match(seen(answer), [
      400,
      {
        message: `File [${name}] Upload failed.`,
        error_code: 1000,
        detail: [{ loc: ['body', 'file'], msg, type: 'not_a_video' }],
      },
    ])
    t.match(JSON.stringify(answer.body), /a recording can be MP4, QuickTime, Matroska, WebM, MPEG-TS/)
    t.equal(answer.headers['retry-after'], undefined, 'the same file will not be taken later')
  }
})

/** The response to an upload that the store did not take. */
const unavailable = [
  400,
  {
    message: 'File [b.mp4] Upload failed.',
    error_code: 1000,
    detail: [{ loc: ['body', 'file'], type: 'store_unavailable' }],
  },
]

t.test('an upload while the object store is down returns 400 and leaves nothing', async (t) => {
  const media = await testMedia(t, { store: storeThatIsDown() })
  const answer = await media.upload(form(['file', clip(12_000_000), 'b.mp4']))
  t.match(seen(answer), unavailable)
  t.equal(answer.headers['retry-after'], '30')
  t.equal(await media.db.$count(videos), 0)
  const url = await fetch(`${media.url}/presigned-url`, { headers: media.auth })
  t.equal(url.status, 503, 'no presigned URL is issued')
})

t.test('an upload fails when the object store goes down after its row was reserved', async (t) => {
  const media = await testMedia(t, { store: { ...storeThatIsDown(), head: async () => undefined } })
  const answer = await media.upload(form(['file', clip(12_000_000), 'b.mp4']))
  t.match(seen(answer), unavailable)
  t.same(
    await media.db.select({ state: videos.state }).from(videos),
    [{ state: 'receiving' }],
    'the row is removed when its lease has run out',
  )
})

t.test('of the failed uploads of a session only the newest is kept', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadLimit: 200_000 })
  const other = media.pathOf(await media.addSession(7))
  for (const path of [other, media.path, media.path, media.path]) {
    const upload = media.open({}, path)
    await upload.write(form(['file', clip(300_000)]))
    upload.request.end()
    t.equal((await upload.answer).status, 413)
  }
  const rows = await media.db.select().from(videos).orderBy(videos.id)
  t.match(rows, [{ state: 'failed' }, { state: 'failed', sessionId: media.sessionId }])
  t.equal(rows[1]?.id, 4, 'of a session the newest')
})

t.test('an upload has one update of its row under way, however slow the database is', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const upload = media.open()
  await upload.write(form(['file', clip(300_000)]).subarray(0, 200_000))
  await until('an upload', media.left, ({ rows }) => rows.length === 1)
  const waiting = await media.db.transaction(async (tx) => {
    await tx.select().from(videos).for('update')
    await sleep(2_500)
    return media.db.execute(
      sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
  })
  t.equal(waiting.length, 1)
  upload.request.destroy()
})

t.test('a session without a recording has no video state', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const answer = await fetch(`${media.url}/state`, { headers: media.auth })
  t.same(
    [answer.status, await answer.json()],
    [400, { message: `No video found for session ID ${media.sessionId}`, error_code: 5 }],
  )
})

t.test('the API page describes the form', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const page = await (await fetch(`${media.host.url}/documentation/json`)).json()
  const path = '/contents/api/case/{case_id}/session/{session_id}/video'
  const form = { 'multipart/form-data': { schema: { $ref: '#/components/schemas/UploadForm' } } }
  t.match(page, { paths: { [path]: { post: { requestBody: { content: form }, responses: { 201: {}, 413: {} } } } } })
  t.match(page, { components: { schemas: { UploadForm: { properties: { file: { format: 'binary' } } } } } })
})

t.test('the name of a file that came in parts from a Mac is composed', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  await media.upload(form(['file', clip(), '김지우.mp4'.normalize('NFD')]))
  t.match(await media.db.select().from(videos), [{ fileName: '김지우.mp4' }])
})
