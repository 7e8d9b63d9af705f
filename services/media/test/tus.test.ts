/** Resumable uploads: what a client of tus 1.0 does, and what becomes of it. */
import { createHash } from 'node:crypto'
import { outbox, sessions, tusUploads, videos } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import t from 'tap'
import { clip, testMedia } from './support.ts'
import { arrival, bytesType, everythingIn, metadata, newestRecording, tusClient } from './tus-support.ts'

const mebibyte = 1024 ** 2

for (const backend of storeBackends) {
  t.test(`${backend}: an upload comes in pieces of any size, and is registered with its last byte`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const tus = tusClient(media)
    const bytes = clip(12 * mebibyte + 3)
    const name = '놀이 1.mp4'
    const sent = metadata(name.normalize('NFD'))
    const created = await tus.create({ 'upload-length': String(bytes.length), 'upload-metadata': sent })
    t.equal(created.status, 201)
    t.match(created.upload, new RegExp(`^${tus.url}/[0-9a-f-]{36}$`))
    t.equal(created.headers.get('tus-resumable'), '1.0.0')
    const day = Date.parse(created.headers.get('upload-expires') ?? '') - Date.now()
    t.ok(day > 86_300_000 && day < 86_500_000)
    let offset = 0
    for (const to of [1, 4_000, 4_099, 4_200, 5 * mebibyte, 11 * mebibyte, bytes.length - 1]) {
      const patched = await tus.patch(created.upload, offset, bytes.subarray(offset, to))
      t.match(patched, { status: 204, offset: to })
      t.equal(patched.headers.get('upload-expires'), created.headers.get('upload-expires'))
      const head = await tus.head(created.upload)
      t.match(head, { status: 200, offset: to })
      t.equal(head.headers.get('upload-length'), String(bytes.length))
      t.equal(head.headers.get('upload-metadata'), sent)
      offset = to
    }
    const state = await fetch(`${media.url}/state`, { headers: media.auth })
    t.match(await state.json(), { state: 'receiving', received: offset, file_name: name })
    const last = await tus.patch(created.upload, offset, bytes.subarray(offset))
    t.match(last, { status: 204, offset: bytes.length })
    t.equal(last.headers.get('upload-expires'), null)

    const { video, bytes: kept } = await newestRecording(media)
    t.match(video, { state: 'stored', size: bytes.length, fileName: name, container: 'mp4', leaseUntil: null })
    t.equal(kept.compare(bytes), 0, 'the bytes are those sent')
    t.same(await everythingIn(media), [`video/${video.path}`], 'nothing else is left')
    t.match(await media.db.select().from(sessions), [{ videoId: video.id, encodingStateId: 1 }])
    const announced = await media.db.select().from(outbox)
    t.match(announced, [{ name: 'encode-video', payload: { video_id: video.id } }])

    t.match(await tus.head(created.upload), { status: 200, offset: bytes.length }, 'the last response may be lost')
    t.match(await tus.patch(created.upload, bytes.length, Buffer.alloc(0)), { status: 204, offset: bytes.length })
    t.match(await tus.patch(created.upload, offset, bytes.subarray(offset)), { status: 409 })
    t.match(await tus.remove(created.upload), { status: 204 }, 'the upload can be forgotten')
    t.match(await tus.head(created.upload), { status: 404 })
    t.equal((await newestRecording(media)).bytes.length, bytes.length, 'and the recording stays')
    t.equal((await media.db.select().from(outbox)).length, 1, 'nothing is made twice')
  })

  t.test(`${backend}: requests of one size leave no tail, and one that was cut goes on`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const tus = tusClient(media)
    const piece = 7 * mebibyte
    const bytes = clip(2 * piece + 10)
    const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
    const cut = tus.open(upload, 0, { 'content-length': String(piece) })
    await cut.write(bytes.subarray(0, 6 * mebibyte))
    await arrival(media, 6 * mebibyte)
    cut.request.destroy()
    const { offset } = await tus.head(upload)
    t.equal(offset, 6 * mebibyte)
    t.match(await tus.patch(upload, offset, bytes.subarray(offset, piece)), { status: 204, offset: piece })
    t.match(await tus.patch(upload, piece, bytes.subarray(piece, 2 * piece)), { status: 204, offset: 2 * piece })
    const [row] = await media.db.select().from(tusUploads)
    t.match(row, { requestBytes: piece })
    if (backend === 's3') t.match(row, { partsBytes: 2 * piece, tail: null })
    t.match(await tus.patch(upload, 2 * piece, bytes.subarray(2 * piece)), { status: 204, offset: bytes.length })
    const { video, bytes: kept } = await newestRecording(media)
    t.equal(kept.compare(bytes), 0)
    t.same(await everythingIn(media), [`video/${video.path}`])
  })

  t.test(`${backend}: the creation may bring the first bytes, or all`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const tus = tusClient(media)
    for (const first of [100, 6 * mebibyte]) {
      const bytes = clip(6 * mebibyte)
      const headers = { ...bytesType, 'upload-length': String(bytes.length) }
      const created = await tus.create(headers, bytes.subarray(0, first))
      t.match(created, { status: 201, offset: first })
      if (first < bytes.length) t.match(await tus.patch(created.upload, first, bytes.subarray(first)), { status: 204 })
      const { video, bytes: kept } = await newestRecording(media)
      t.match(video, { state: 'stored', fileName: 'video' })
      t.equal(kept.compare(bytes), 0)
    }
  })

  t.test(`${backend}: what came before a cut is kept`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const tus = tusClient(media)
    const bytes = clip(14 * mebibyte)
    const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
    let offset = 0
    for (const to of [3 * mebibyte, 9 * mebibyte + 5, 13 * mebibyte]) {
      const open = tus.open(upload, offset, { 'content-length': String(bytes.length - offset) })
      await open.write(bytes.subarray(offset, to))
      await arrival(media, to)
      open.request.destroy()
      const head = await tus.head(upload)
      t.match(head, { status: 200, offset: to }, 'every byte that arrived')
      offset = head.offset
    }
    t.match(await tus.patch(upload, offset, bytes.subarray(offset)), { status: 204, offset: bytes.length })
    const { video, bytes: kept } = await newestRecording(media)
    t.equal(kept.compare(bytes), 0)
    t.same(await everythingIn(media), [`video/${video.path}`])
  })

  t.test(`${backend}: an upload that is cancelled leaves nothing`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const tus = tusClient(media)
    const { upload } = await tus.create({ 'upload-length': '9000000' })
    t.match(await tus.patch(upload, 0, clip(6 * mebibyte)), { status: 204 })
    t.not((await everythingIn(media)).length, 0)
    t.match(await tus.remove(upload), { status: 204, body: '' })
    t.same(await everythingIn(media), [])
    t.same(await media.db.select().from(videos), [])
    for (const method of ['HEAD', 'DELETE'] as const) t.equal((await tus.send(method, upload)).status, 404, method)
    t.match(await tus.patch(upload, 0, clip()), { status: 404, body: { error_code: 404 } })
  })

  t.test(`${backend}: what is no recording is refused as soon as that is known, and leaves nothing`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const tus = tusClient(media)
    const text = Buffer.alloc(9_000_000, 'text ')
    const refused = {
      status: 400,
      body: { message: 'File [a.txt] Upload failed.', error_code: 1000, detail: [{ type: 'not_a_video' }] },
    }
    const headers = { 'upload-length': String(text.length), 'upload-metadata': metadata('a.txt') }
    const { upload } = await tus.create(headers)
    t.match(await tus.patch(upload, 0, text.subarray(0, 10)), { status: 204 })
    t.match(await tus.patch(upload, 10, text.subarray(10)), refused)
    t.match(await tus.create({ ...headers, ...bytesType }, text), refused)
    const short = await tus.create({ ...headers, 'upload-length': '10' })
    t.match(await tus.patch(short.upload, 0, text.subarray(0, 10)), refused)
    t.same(await everythingIn(media), [])
    t.same(await media.db.select().from(videos), [])
  })

  t.test(`${backend}: bytes with a checksum are kept as a whole or not at all`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const tus = tusClient(media)
    const bytes = clip(13 * mebibyte)
    const checksum = (algorithm: string, of: Buffer) => ({
      'upload-checksum': `${algorithm} ${createHash(algorithm).update(of).digest('base64')}`,
    })
    const { upload } = await tus.create({ 'upload-length': String(bytes.length) })
    const broken = Buffer.alloc(7 * mebibyte, 'x')
    t.match(await tus.patch(upload, 0, broken, checksum('sha1', bytes)), { status: 460, body: { error_code: 460 } })
    t.match(await tus.head(upload), { offset: 0 })
    let offset = 0
    for (const [algorithm, to] of [
      ['sha1', mebibyte],
      ['md5', 8 * mebibyte],
      ['sha256', bytes.length],
    ] as const) {
      const piece = bytes.subarray(offset, to)
      const other = checksum(algorithm, piece.subarray(1))
      t.match(await tus.patch(upload, offset, piece, other), { status: 460 }, algorithm)
      const open = tus.open(upload, offset, { ...checksum(algorithm, piece), 'content-length': String(piece.length) })
      await open.write(piece.subarray(0, -1))
      await arrival(media, to - 1)
      open.request.destroy()
      t.match(await tus.head(upload), { offset }, 'bytes before a cut cannot be verified')
      t.match(await tus.patch(upload, offset, piece, checksum(algorithm, piece)), { status: 204, offset: to })
      offset = to
    }
    const { video, bytes: kept } = await newestRecording(media)
    t.equal(kept.compare(bytes), 0)
    t.same(await everythingIn(media), [`video/${video.path}`])
  })

  t.test(`${backend}: the length may be told later`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend), uploadLimit: 9 * mebibyte })
    const tus = tusClient(media)
    const bytes = clip(7 * mebibyte)
    const { upload, status } = await tus.create({ 'upload-defer-length': '1' })
    t.equal(status, 201)
    t.match(await tus.patch(upload, 0, bytes), { status: 204, offset: bytes.length })
    const head = await tus.head(upload)
    t.equal(head.headers.get('upload-defer-length'), '1')
    t.equal(head.headers.get('upload-length'), null)
    const tell = (length: number) =>
      tus.patch(upload, bytes.length, Buffer.alloc(0), { 'upload-length': String(length) })
    t.match(await tell(bytes.length - 1), { status: 400 }, 'less than there is')
    t.match(await tell(9 * mebibyte + 1), { status: 413 })
    t.match(await tus.patch(upload, bytes.length, Buffer.alloc(3 * mebibyte)), { status: 413 }, 'more than is possible')
    t.match(await tell(bytes.length), { status: 204, offset: bytes.length })
    const { video, bytes: kept } = await newestRecording(media)
    t.equal(kept.compare(bytes), 0)
    t.same(await everythingIn(media), [`video/${video.path}`])
    const short = await tus.create({ 'upload-defer-length': '1' })
    t.match(await tus.patch(short.upload, 0, bytes.subarray(0, 30)), { status: 204 })
    t.match(await tus.patch(short.upload, 30, Buffer.alloc(0), { 'upload-length': '30' }), { status: 204 })
    t.equal((await newestRecording(media)).bytes.length, 30)
  })
}
