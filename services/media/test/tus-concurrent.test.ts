/** Uploads that several requests, processes and failures meet. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectStore } from '@playtherapy/object-store'
import { cases, outbox, tusUploads, videos } from '@playtherapy/schema'
import { flakyLink, storeBackends, testHost, testStore, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { Upload } from 'tus-js-client'
import { mediaApp } from '../src/app.ts'
import { clip, testMedia } from './support.ts'
import { arrival, everythingIn, type Media, newestRecording, tusClient } from './tus-support.ts'

const mebibyte = 1024 ** 2

/** A second process of the same installation. */
async function another(t: Parameters<typeof testHost>[0], media: Media): Promise<Media> {
  const { as, store } = media
  const host = await testHost(t, mediaApp({ db: as('media'), store, phase: 'LOCAL', uploadLimit: 20_000_000 }))
  return { ...media, host }
}

for (const backend of storeBackends) {
  t.test(`${backend}: a real client goes on after each cut`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const link = await flakyLink(t, media.host.url)
    const bytes = clip(19 * mebibyte)
    let cuts = 0
    await new Promise<void>((resolve, reject) => {
      const upload = new Upload(bytes, {
        endpoint: new URL(`${media.path}/tus`, link.url).href,
        headers: media.auth,
        metadata: { filename: '놀이.mp4' },
        retryDelays: [0, 20, 50, 100, 200, 400, 800],
        onProgress(sent) {
          if (cuts > 2 || sent < (cuts + 1) * 5 * mebibyte) return
          cuts++
          link.cut()
          setTimeout(link.mend, 30)
        },
        onSuccess: () => resolve(),
        onError: reject,
      })
      upload.start()
    })
    t.ok(cuts > 0, `${cuts} cuts`)
    const { video, bytes: kept } = await newestRecording(media)
    t.match(video, { state: 'stored', fileName: '놀이.mp4' })
    t.equal(kept.compare(bytes), 0)
    t.same(await everythingIn(media), [`video/${video.path}`])
  })

  t.test(`${backend}: a request whose client is silent gives way, also in another process`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const second = await another(t, media)
    const bytes = clip(9 * mebibyte)
    const tus = tusClient(media)
    const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
    let offset = 0
    for (const [to, next] of [
      [6 * mebibyte, media],
      [7 * mebibyte, second],
    ] as const) {
      const silent = tus.open(upload, offset, { 'content-length': String(bytes.length - offset) })
      await silent.write(bytes.subarray(offset, to))
      await arrival(media, to)
      t.match(await tusClient(next).head(upload), { status: 200, offset: to }, 'all that came is kept')
      t.equal((await silent.answer).status, 423)
      silent.request.destroy()
      offset = to
    }
    t.match(await tusClient(second).patch(upload, offset, bytes.subarray(offset)), { status: 204 })
    const { video, bytes: kept } = await newestRecording(media)
    t.equal(kept.compare(bytes), 0)
    t.same(await everythingIn(media), [`video/${video.path}`])
  })

  t.test(
    `${backend}: what a dead process held is free when its lease has run out, and its late bytes change nothing`,
    async (t) => {
      const media = await testMedia(t, { store: await testStore(t, backend) })
      const tus = tusClient(media)
      const bytes = clip(14 * mebibyte)
      const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
      const slow = tus.open(upload, 0, { 'content-length': String(bytes.length) })
      await slow.write(bytes.subarray(0, 9 * mebibyte))
      await until(
        'a saved part',
        () => media.db.select().from(tusUploads),
        ([row]) => (row?.partsBytes ?? 0) > 0,
      )
      // As if its process had stopped to renew the lease.
      await media.db.update(tusUploads).set({ holder: sql`gen_random_uuid()`, heldUntil: sql`now()` })
      const { offset, status } = await tus.head(upload)
      t.equal(status, 200)
      const late = slow.write(bytes.subarray(9 * mebibyte))
      t.match(await tus.patch(upload, offset, bytes.subarray(offset)), { status: 204, offset: bytes.length })
      await late
      t.equal((await slow.answer).status, 423)
      const { video, bytes: kept } = await newestRecording(media)
      t.equal(kept.compare(bytes), 0)
      t.same(await everythingIn(media), [`video/${video.path}`])
      t.equal(await media.db.$count(outbox), 1)
    },
  )

  t.test(
    `${backend}: an upload whose process died before it was registered is completed by the next question`,
    async (t) => {
      const store = await testStore(t, backend)
      let fails = true
      const media = await testMedia(t, {
        store: {
          ...store,
          async finishUpload(...asked) {
            const made = await store.finishUpload(...asked)
            if (fails) throw new Error('lost')
            return made
          },
        },
      })
      const tus = tusClient(media)
      const bytes = clip(6 * mebibyte)
      const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
      t.match(await tus.patch(upload, 0, bytes), { status: 503 })
      t.equal((await tus.head(upload)).status, 423, 'it is not complete before it is registered')
      t.equal(await media.db.$count(outbox), 0)
      fails = false
      const heads = await Promise.all([
        tus.head(upload),
        tus.head(upload),
        tus.patch(upload, bytes.length, Buffer.alloc(0)),
      ])
      for (const answer of heads) t.equal(answer.offset, bytes.length)
      t.equal(await media.db.$count(outbox), 1)
      const { video, bytes: kept } = await newestRecording(media)
      t.equal(kept.compare(bytes), 0)
      t.same(await everythingIn(media), [`video/${video.path}`])
    },
  )

  t.test(`${backend}: an upload ends when its recording, or its case, is deleted`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const tus = tusClient(media)
    const bytes = clip(9 * mebibyte)
    for (const deletion of ['recording', 'upload', 'case'] as const) {
      const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
      const running = tus.open(upload, 0, { 'content-length': String(bytes.length) })
      await running.write(bytes.subarray(0, 6 * mebibyte))
      await arrival(media, 6 * mebibyte)
      if (deletion === 'recording') await fetch(media.url, { method: 'DELETE', headers: media.auth })
      else if (deletion === 'upload') t.equal((await tus.remove(upload)).status, 204)
      else await media.db.delete(cases).where(eq(cases.id, media.caseId))
      running.request.end(bytes.subarray(6 * mebibyte))
      const { status, body } = await running.answer
      t.match(
        { status, code: JSON.parse(body).error_code },
        { status: 400, code: deletion === 'case' ? 3 : 1000 },
        deletion,
      )
      t.equal((await tus.head(upload)).status, deletion === 'case' ? 400 : 404)
      t.same(await everythingIn(media), [], deletion)
    }
  })
}

t.test('while the store does not work, a client tries again and goes on', async (t) => {
  const store = await testStore(t, 'file')
  let works = true
  const appendUpload: ObjectStore['appendUpload'] = async (key, begun, body, options) => {
    if (works) return store.appendUpload(key, begun, body, options)
    for await (const _chunk of body) throw new Error('503')
    return undefined
  }
  const media = await testMedia(t, { store: { ...store, appendUpload } })
  const tus = tusClient(media)
  const bytes = clip(3 * mebibyte)
  const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
  t.match(await tus.patch(upload, 0, bytes.subarray(0, mebibyte)), { status: 204 })
  works = false
  const refused = await tus.patch(upload, mebibyte, bytes.subarray(mebibyte))
  t.match(refused, { status: 503, body: { error_code: 10 } })
  t.match(await tus.head(upload), { status: 200, offset: mebibyte })
  works = true
  t.match(await tus.patch(upload, mebibyte, bytes.subarray(mebibyte)), { status: 204 })
  t.equal((await newestRecording(media)).bytes.compare(bytes), 0)
})

t.test('a real client does not begin again when its upload cannot be continued at the moment', async (t) => {
  const store = await testStore(t, 'file')
  let failures = 3
  const finishUpload: ObjectStore['finishUpload'] = async (...asked) => {
    if (failures-- > 0) throw new Error('503')
    return store.finishUpload(...asked)
  }
  const media = await testMedia(t, { store: { ...store, finishUpload } })
  const bytes = clip(3 * mebibyte)
  const answers: string[] = []
  await new Promise<void>((resolve, reject) => {
    const upload = new Upload(bytes, {
      endpoint: `${media.url}/tus`,
      headers: media.auth,
      retryDelays: [10, 10, 10, 10, 10, 10],
      onAfterResponse: (request, response) => void answers.push(`${request.getMethod()} ${response.getStatus()}`),
      onSuccess: () => resolve(),
      onError: reject,
    })
    upload.start()
  })
  t.same(answers, ['POST 201', 'PATCH 503', 'HEAD 423', 'HEAD 423', 'HEAD 200'])
  t.equal(await media.db.$count(videos), 1)
  t.equal((await newestRecording(media)).bytes.compare(bytes), 0)
})

t.test('an upload whose bytes were removed has to begin again', async (t) => {
  const store = await testStore(t, 'file')
  const media = await testMedia(t, { store })
  const tus = tusClient(media)
  const { upload } = await tus.create({ 'upload-length': '100000' })
  t.match(await tus.patch(upload, 0, clip().subarray(0, 10_000)), { status: 204 })
  await store.abortUploads('video/')
  t.match(await tus.patch(upload, 10_000, clip().subarray(10_000)), { status: 410 })
  t.equal((await tus.head(upload)).status, 404)
  t.equal(await media.db.$count(videos), 0)
})

t.test('a request that receives bytes keeps its upload, and another one is told to wait', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const tus = tusClient(media)
  const bytes = clip()
  const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
  const running = tus.open(upload, 0, { 'content-length': String(bytes.length) })
  let sent = 0
  const ends = new AbortController()
  const trickle = (async () => {
    while (!ends.signal.aborted) {
      await running.write(bytes.subarray(sent, ++sent))
      await sleep(100)
    }
  })()
  const second = await tus.patch(upload, 0, bytes)
  t.match(second, { status: 423, body: { error_code: 423 } })
  t.match(second.headers.get('retry-after'), /^\d+$/)
  ends.abort()
  await trickle
  running.request.end(bytes.subarray(sent))
  t.equal((await running.answer).status, 204)
  t.equal((await newestRecording(media)).bytes.compare(bytes), 0)
})

t.test('two tabs that upload the same file make one recording', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const { upload: created } = await tusClient(media).create({ 'upload-length': String(6 * mebibyte) })
  const bytes = clip(6 * mebibyte)
  const tab = () =>
    new Promise<void>((resolve, reject) => {
      const upload = new Upload(bytes, {
        uploadUrl: media.host.url + created,
        headers: media.auth,
        chunkSize: 500_000,
        retryDelays: [10, 20, 50, 100, 100, 100, 100],
        onSuccess: () => resolve(),
        onError: reject,
      })
      upload.start()
    })
  await Promise.all([tab(), tab()])
  t.equal((await newestRecording(media)).bytes.compare(bytes), 0)
  t.equal(await media.db.$count(outbox), 1)
  t.equal(await media.db.$count(videos), 1)
})

t.test('a process that closes keeps what came, and another one goes on at once', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const second = await another(t, media)
  const tus = tusClient(media)
  const bytes = clip()
  const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
  const running = tus.open(upload, 0, { 'content-length': String(bytes.length) })
  await running.write(bytes.subarray(0, 60_000))
  await arrival(media, 60_000)
  await media.host.close()
  t.equal((await running.answer).status, 423)
  t.match(await tusClient(second).head(upload), { status: 200, offset: 60_000 })
})

t.test('a body that is too slow is ended, and what came is kept', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadIdleMs: 300 })
  const tus = tusClient(media)
  const { upload } = await tus.create({ 'upload-length': '100000' })
  const slow = tus.open(upload, 0, { 'content-length': '100000' })
  await slow.write(clip().subarray(0, 5_000))
  await slow.answer.catch(() => {})
  t.match(await tus.head(upload), { status: 200, offset: 5_000 })
})
