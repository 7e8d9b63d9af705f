/** One slow or hostile therapist leaves enough for the others. */
import { once } from 'node:events'
import { type IncomingMessage, request as openRequest } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectStore } from '@playtherapy/object-store'
import { storeBackends, testStore, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { addRendition, clip, closing, form, isNothing, nothing, partOf, testMedia } from './support.ts'

const busy = { status: 429, body: { error_code: 10 }, headers: { 'retry-after': /^\d+$/ } }
const fileHead = partOf('file', 'a.mp4')

/** Returns the same store with the list of all streams that were read from it. */
function watched(store: ObjectStore) {
  const read: Readable[] = []
  const watching: ObjectStore = {
    ...store,
    async get(...asked) {
      const stream = await store.get(...asked)
      read.push(stream)
      return stream
    },
  }
  return { store: watching, read }
}

/** Returns the same store, whose recordings stop after their first bytes until `goOn` is called. */
function halting(store: ObjectStore) {
  let goOn = () => {}
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  async function* halt(stream: AsyncIterable<Buffer>) {
    for await (const chunk of stream) {
      yield chunk.subarray(0, 10)
      await gate
      yield chunk.subarray(10)
    }
  }
  const halted: ObjectStore = {
    ...store,
    get: async (...asked) => Readable.from(halt(await store.get(...asked)), { objectMode: false }),
  }
  return { store: halted, goOn: () => goOn() }
}

for (const backend of storeBackends) {
  t.test(`${backend}: one therapist's uploads leave room for the others'`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const other = media.pathOf(await media.addSession(8))
    const open = Array.from({ length: 16 }, () => media.open())
    await Promise.all(open.map((upload) => upload.write(Buffer.concat([Buffer.from(fileHead), clip()]))))
    await until('every upload', media.left, ({ rows }) => rows.length === 16)
    const whole = form(['file', clip()])
    t.match(await media.upload(whole), busy, 'the share is used up')
    t.match(await media.upload(whole, { 'content-length': String(whole.length) }), busy, 'whatever its length')
    t.equal((await media.upload(whole, media.host.as(8), other)).status, 201, 'another therapist is not affected')
    const [first, ...rest] = open
    first?.request.end(closing)
    t.equal((await first?.answer)?.status, 201)
    t.equal((await media.upload(whole)).status, 201, 'and there is room again')
    for (const { request } of rest) request.destroy()
    await until('the removal', media.left, ({ rows }) => rows.length === 3)
    // A share is given back after the row was changed, when the process knows that it was.
    const again = () => Promise.all(Array.from({ length: 16 }, () => media.upload(whole)))
    await until('room for a whole share: aborted uploads count no more', again, (all) =>
      all.every(({ status }) => status === 201),
    )
  })
}

t.test('a refused upload no longer counts', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  for (let n = 0; n < 20; n++) {
    t.equal((await media.upload(Buffer.from('{}'), { 'content-type': 'application/json' })).status, 422)
    t.equal((await media.upload(form(['file', Buffer.alloc(0)]))).status, 422)
    const left = media.open({ 'content-length': '1000' })
    left.request.flushHeaders()
    left.request.destroy()
  }
  t.equal((await media.upload(form(['file', clip()]))).status, 201)
})

t.test('an upload that is too slow is refused, in every part of the body', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadIdleMs: 300 })
  const file = Buffer.concat([Buffer.from(fileHead), clip()])
  const boundary = fileHead.slice(0, fileHead.indexOf('\r\n'))
  const places: [string, Buffer | string, string][] = [
    ['before the first part', '', 'x'],
    ['in the headers of a part', `${boundary}\r\nx: `, 'y'],
    ['in headers without end', `${boundary}\r\n`, 'a: b\r\n'],
    ['in a field before the file', partOf('note'), 'x'],
    ['in fields without end', partOf('note'), `x\r\n${partOf('note')}`],
    ['in the first bytes of the file', fileHead, '\0'],
    ['in the file', file, '\0'],
    ['in a field after the file', Buffer.concat([file, Buffer.from(`\r\n${partOf('note')}`)]), 'x'],
    ['before the end', form(['file', clip()]).subarray(0, -4), 'x'],
  ]
  const drip = async (t: Test, [where, start, drop]: (typeof places)[number], headers: Record<string, string>) => {
    const upload = media.open(headers)
    await upload.write(start.length > 0 ? start : '\r\n')
    const dripping = setInterval(() => upload.request.destroyed || upload.request.write(drop), 10)
    const seen = await upload.answer.catch(() => undefined)
    clearInterval(dripping)
    upload.request.destroy()
    t.ok(seen && [408, 422].includes(seen.status), `${where}: ${seen?.status ?? 'no answer'}`)
    return seen?.status
  }
  for (const length of [{}, { 'content-length': '9000000' }]) {
    const statuses = await Promise.all(places.map((place) => drip(t, place, length)))
    t.ok(statuses.includes(408))
  }
  t.same(await until('the removal', media.left, isNothing), nothing, 'nothing is left')
})

t.test('an upload does not wait for bytes after the end of the form', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  for (const epilogue of ['x', '\r\n', '\r\nan epilogue\r\n', closing]) {
    const upload = media.open()
    await upload.write(form(['file', clip()]))
    await sleep(50)
    await upload.write(epilogue)
    await sleep(50)
    upload.request.end(epilogue)
    t.equal((await upload.answer).status, 201, JSON.stringify(epilogue))
  }
})

t.test('an upload on a slow connection with pauses is accepted', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file'), uploadIdleMs: 500, uploadLeastRate: 20_000 })
  const upload = media.open()
  await upload.write(fileHead)
  for (let burst = 0; burst < 8; burst++) {
    await upload.write(clip(15_000))
    await sleep(250)
  }
  upload.request.end(closing)
  t.equal((await upload.answer).status, 201)
})

t.test('an upload is not aborted because the store is slow', async (t) => {
  const store = await testStore(t, 'file')
  const slow: ObjectStore = {
    ...store,
    put: (key, body, options) => {
      async function* late() {
        await sleep(1_500)
        if (!(body instanceof Uint8Array)) yield* body
      }
      return store.put(key, late(), options)
    },
  }
  const media = await testMedia(t, { store: slow, uploadIdleMs: 200 })
  t.equal((await media.upload(form(['file', clip(15_000_000)]))).status, 201)
})

t.test('one therapist’s players leave room for the others', async (t) => {
  const { store, goOn } = halting(await testStore(t, 'file'))
  const media = await testMedia(t, { store })
  const bytes = clip(50_000)
  await addRendition(media, bytes)
  const ids = await media.addSession(8)
  await addRendition({ ...media, ...ids }, bytes)
  const play = async (as = 7, path = media.path) => {
    const request = openRequest(media.host.url + path, { agent: false, headers: media.host.as(as) }).end()
    const [response]: IncomingMessage[] = await once(request, 'response')
    return { request, response, status: response?.statusCode }
  }
  const playing: Awaited<ReturnType<typeof play>>[] = []
  while (playing.length < 64) playing.push(...(await Promise.all(Array.from({ length: 32 }, () => play()))))
  t.ok(playing.every(({ status }) => status === 200))
  const refused = await fetch(media.url, { headers: media.auth })
  t.match(
    { status: refused.status, body: await refused.json(), headers: Object.fromEntries(refused.headers) },
    busy,
    'the share is used up',
  )
  const other = await play(8, media.pathOf(ids))
  t.equal(other.status, 200, 'another therapist is not affected')
  playing.pop()?.request.destroy()
  const next = async () => {
    const one = await play()
    one.request.destroy()
    return one.status
  }
  t.equal(await until('a free place', next, (status) => status === 200), 200, 'a disconnected player counts no more')
  goOn()
  await Promise.all([other, ...playing].map(({ response }) => response?.resume() && once(response, 'end')))
  t.equal((await fetch(media.url, { headers: media.auth })).status, 200, 'nor does one that has ended')
})

for (const backend of storeBackends) {
  t.test(`${backend}: pipelined requests end with their connection`, async (t) => {
    const { store, read } = watched(await testStore(t, backend))
    const media = await testMedia(t, { store })
    await addRendition(media, clip(15_000_000))
    const { port } = new URL(media.url)
    const request = `GET ${media.path} HTTP/1.1\r\nhost: x\r\nauthorization: ${media.auth.authorization}\r\n\r\n`
    for (let connection = 0; connection < 3; connection++) {
      const client = connect(Number(port), '127.0.0.1')
      client.write(request.repeat(5))
      await until('two reads', () => read.length > connection * 5 + 1)
      client.destroy()
      const open = async () => read.filter((stream) => !stream.destroyed).length
      t.equal(await until('the end of the reads', open, (count) => count === 0), 0, 'nothing is read any more')
    }
  })
}
