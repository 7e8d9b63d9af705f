import type { ServerResponse } from 'node:http'
import { buffer, text } from 'node:stream/consumers'
import { storeBackends } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { ObjectChangedError, ObjectMissingError } from '../src/index.ts'
import { readsThroughProxy } from './support.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'
const contentType = 'video/mp4'

/** A store whose reads get the next of `faults` as their response, and the server's when none is left. */
async function faultyReads(t: Test) {
  const faults: ((response: ServerResponse) => unknown)[] = []
  const urls: string[] = []
  const stores = await readsThroughProxy(t, ({ url = '' }, response) => {
    urls.push(url)
    const fault = faults.shift()
    fault?.(response)
    return fault !== undefined
  })
  return { ...stores, faults, urls }
}

const answering =
  (status: number) =>
  (response: ServerResponse): unknown =>
    response.writeHead(status).end('no')
const cut = (response: ServerResponse) => response.destroy()

t.test('a read is retried after temporary errors', { skip }, async (t) => {
  const { reading, writing, faults, urls } = await faultyReads(t)
  const { etag } = await writing.put('1.mp4', Buffer.from('abcdef'), { contentType })
  for (const temporary of [cut, answering(500), answering(503), answering(403), answering(429)]) {
    faults.push(temporary, temporary)
    t.equal(await text(await reading.get('1.mp4', { start: 1, end: 3, ifMatch: etag })), 'bcd')
    t.equal(faults.length, 0)
  }
  faults.push(cut, cut, cut)
  await t.rejects(reading.get('1.mp4'), 'after three attempts')
  t.equal(faults.length, 0)

  urls.length = 0
  for (let times = 0; times < 3; times++) await text(await reading.get('1.mp4'))
  t.equal(new Set(urls).size, 1, 'one signature is enough for many reads')
})

t.test('a reader that pauses on a complete body loses nothing', { skip }, async (t) => {
  const { reading, writing } = await faultyReads(t)
  for (const size of [6, 50_000, 3_000_000]) await writing.put(`${size}.mp4`, Buffer.alloc(size, 'x'), { contentType })
  await Promise.all(
    [6, 50_000, 3_000_000].map(async (size) => {
      const body = await reading.get(`${size}.mp4`)
      await new Promise((resolve) => setTimeout(resolve, 13_000))
      t.equal((await buffer(body)).length, size)
    }),
  )
})

t.test('missing, changed and refused objects are reported at once, each by its error', { skip }, async (t) => {
  const { reading, writing, faults, urls } = await faultyReads(t)
  await writing.put('1.mp4', Buffer.from('abcdef'), { contentType })
  await t.rejects(reading.get('2.mp4'), ObjectMissingError)
  await t.rejects(reading.get('1.mp4', { ifMatch: '"other"' }), ObjectChangedError)
  await t.rejects(reading.get('1.mp4', { start: 100, end: 200 }), { message: 'the object store answered 416' })
  t.equal(urls.length, 3)

  const abort = new AbortController()
  const reason = new Error('the client disconnected')
  faults.push(() => abort.abort(reason))
  await t.rejects(reading.get('1.mp4', { signal: abort.signal }), reason)
  t.equal(urls.length, 4, 'nobody waits for another attempt')
})

t.test('reads correct a wrong clock by that of the server', { skip }, async (t) => {
  const { reading, writing, urls } = await faultyReads(t)
  await writing.put('1.mp4', Buffer.from('abcdef'), { contentType })
  await writing.put('2.mp4', Buffer.from('ghi'), { contentType })
  const { now } = Date
  t.teardown(() => Object.assign(Date, { now }))
  Date.now = () => now() - 2 * 3_600_000
  t.equal(await text(await reading.get('1.mp4')), 'abcdef')
  t.equal(urls.length, 2, 'the first was refused')
  t.equal(await text(await reading.get('2.mp4')), 'ghi')
  t.equal(urls.length, 3)
})
