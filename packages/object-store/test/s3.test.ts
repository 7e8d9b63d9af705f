import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { objectStoreSuite, storeBackends, testBucket } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import {
  type Begun,
  createS3Store,
  ObjectChangedError,
  prepareBucket,
  type StoredPart,
  type Tail,
} from '../src/index.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

t.test('the S3 store passes the contract suite', { skip }, async (t) => {
  const store = createS3Store(await testBucket())
  t.teardown(() => store.close())
  objectStoreSuite(t, store)
})

t.test('a bucket can be prepared again', { skip }, async (t) => {
  const origin = 'https://app.example'
  const settings = await testBucket([origin])
  t.strictSame(await prepareBucket(settings, { corsOrigins: [origin] }), [])
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const url = await store.presignPut('1.mp4', { contentType: 'video/mp4', expiresIn: 60 })
  const preflight = (from: string) =>
    fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'content-type',
      },
    })
  const allowed = await preflight(origin)
  t.equal(allowed.status, 200)
  t.equal(allowed.headers.get('access-control-allow-origin'), origin)
  t.equal((await preflight('https://other.example')).headers.get('access-control-allow-origin'), null)
})

t.test('a presigned URL has the address for browsers', { skip }, async (t) => {
  const settings = await testBucket()
  const store = createS3Store({ ...settings, publicEndpoint: 'https://objects.example' })
  t.teardown(() => store.close())
  const url = new URL(await store.presignPut('a/1.mp4', { contentType: 'video/mp4', expiresIn: 60 }))
  t.equal(url.origin + url.pathname, `https://objects.example/${settings.bucket}/video/uploads/a/1.mp4`)
  t.equal(url.searchParams.get('X-Amz-SignedHeaders'), 'content-type;host')
  t.notMatch(url.search, /checksum|crc/i)
})

t.test('a check fails while the server cannot be used', { skip }, async (t) => {
  const settings = await testBucket()
  for (const wrong of [{ bucket: 'none-here' }, { secretAccessKey: 'wrong' }, { endpoint: 'http://127.0.0.1:1' }]) {
    const store = createS3Store({ ...settings, ...wrong })
    t.teardown(() => store.close())
    await t.rejects(store.check())
  }
})

/** A proxy whose connections can be broken, and which counts the bytes of both directions. */
async function breakableWay(t: Test, endpoint: string) {
  const { hostname, port } = new URL(endpoint)
  const sockets = new Set<Socket>()
  const passed = { bytes: 0 }
  const proxy = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const socket of [near, far]) socket.on('data', ({ length }: Buffer) => (passed.bytes += length))
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        near.destroy()
        far.destroy()
        sockets.delete(socket)
      })
    }
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (!address || typeof address === 'string') throw new Error('no port')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const close = () => {
    proxy.close()
    cut()
  }
  t.teardown(close)
  return { endpoint: `http://127.0.0.1:${address.port}`, cut, close, passed }
}

t.test('a call that brings one byte does not move the megabytes before it', { skip }, async (t) => {
  const settings = await testBucket()
  const { endpoint, passed } = await breakableWay(t, settings.endpoint ?? '')
  const store = createS3Store({ ...settings, endpoint })
  t.teardown(() => store.close())
  const { signal } = new AbortController()
  const options = { length: undefined, onPart: () => {}, signal }
  const id = await store.beginUpload('1.mp4')
  const begun = { id, partsBytes: 0, nextPart: 1 }
  let tail: Tail | undefined
  const append = async (size: number) => {
    const earlier = tail
    tail = await store.appendUpload('1.mp4', { ...begun, tail }, Readable.from([randomBytes(size)]), options)
    if (earlier) await store.removeTail('1.mp4', earlier, tail)
  }
  await append(4_000_000)
  passed.bytes = 0
  for (let call = 0; call < 30; call++) await append(1)
  t.equal(tail?.size, 4_000_030)
  t.ok(passed.bytes < 400_000, `${passed.bytes} bytes, mostly headers`)
  await store.abortUploads('1.mp4')
})

t.test('parts end with calls of one size, also of one that was cut', { skip }, async (t) => {
  const store = createS3Store(await testBucket())
  t.teardown(() => store.close())
  const { signal } = new AbortController()
  const requestBytes = 11_000_001
  const bytes = randomBytes(3 * requestBytes + 5)
  const id = await store.beginUpload('1.mp4')
  const begun: Begun = { id, partsBytes: 0, nextPart: 1, tail: undefined, requestBytes }
  const parts: StoredPart[] = []
  const onPart = (part: StoredPart) => {
    parts.push(part)
    begun.partsBytes += part.size
    begun.nextPart = part.number + 1
    begun.tail = undefined
  }
  const append = async (from: number, to: number, report = onPart) => {
    const body = Readable.from([bytes.subarray(from, to)])
    return store.appendUpload('1.mp4', { ...begun }, body, { length: bytes.length, onPart: report, signal })
  }
  t.equal(await append(0, requestBytes), undefined, 'no tail')
  t.strictSame(
    parts.map(({ size }) => size),
    [5_500_000, 5_500_001],
  )
  // A process that is killed has stored parts of which nobody knows.
  await append(requestBytes, 2 * requestBytes, () => {})
  const cut = requestBytes + 6_000_000
  begun.tail = await append(requestBytes, cut)
  t.equal(begun.tail?.size, 500_000)
  t.equal(await append(cut, 2 * requestBytes), undefined)
  t.equal(await append(2 * requestBytes, bytes.length), undefined)
  t.strictSame(
    parts.map(({ size }) => size),
    [...Array.from({ length: 3 }, () => [5_500_000, 5_500_001]).flat(), 5],
  )
  const { size, etag } = await store.finishUpload('1.mp4', id, parts)
  t.equal(size, bytes.length)
  t.ok((await buffer(await store.get('1.mp4', { ifMatch: etag }))).equals(bytes))
})

t.test('no call stores bytes that did not come, whatever is known of the tail', { skip }, async (t) => {
  const store = createS3Store(await testBucket())
  t.teardown(() => store.close())
  const { signal } = new AbortController()
  const bytes = randomBytes(6_000_000)
  const id = await store.beginUpload('1.mp4')
  const parts: StoredPart[] = []
  const append = (tail: Tail | undefined, body: Buffer) => {
    const options = { length: bytes.length, onPart: (part: StoredPart) => parts.push(part), signal }
    return store.appendUpload('1.mp4', { id, partsBytes: 0, nextPart: 1, tail }, Readable.from([body]), options)
  }
  const [before, after] = [bytes.subarray(0, 1_000), bytes.subarray(1_000)]
  const tail = await append(undefined, before)
  t.notMatch(
    tail?.name,
    /[:,]/,
    'a media process of the release before this one, which runs during an upgrade, finds it by its name',
  )
  t.equal(tail?.size, 1_000)
  const name = tail?.name ?? ''
  const wrong = [
    { name: `${name}:1001`, size: 1_001 },
    { name: `${name}:999`, size: 999 },
    { name, size: 1_001 },
    { name: `${name}:1000`, size: 1_001 },
    { name: `${name}:-1000`, size: -1_000 },
    { name: `${name}:1000.5`, size: 1_000.5 },
    { name: `${name}:NaN`, size: 1_000 },
    { name: `${name}:`, size: 1_000 },
    { name: `${name},${name}`, size: 1_000 },
    { name: ':1000', size: 1_000 },
  ]
  for (const tail of wrong) await t.rejects(append(tail, after), JSON.stringify(tail))
  t.same(parts, [])

  const old = { name, size: 1_000 }
  t.match(await append(old, Buffer.alloc(0)), { size: 1_000 }, 'a tail of an earlier version is kept')
  t.equal(await append(old, after), undefined)
  const { etag } = await store.finishUpload('1.mp4', id, parts)
  t.equal((await buffer(await store.get('1.mp4', { ifMatch: etag }))).compare(bytes), 0)
  await store.removeTail('1.mp4', old, undefined)
  for await (const { key } of store.list('')) t.equal(key, '1.mp4', 'nothing else is left')
})

t.test('a read continues where its connection broke', { skip }, async (t) => {
  const settings = await testBucket()
  const way = await breakableWay(t, settings.endpoint ?? '')
  const store = createS3Store({ ...settings, endpoint: way.endpoint })
  t.teardown(() => store.close())
  const bytes = randomBytes(30 * 1024 ** 2)
  const contentType = 'video/mp4'
  const { etag } = await store.put('1.mp4', Readable.from([bytes]), { contentType })

  for (const range of [{}, { start: 1_000_003, end: bytes.length - 100 }]) {
    const hash = createHash('sha256')
    let size = 0
    let cuts = 0
    for await (const chunk of await store.get('1.mp4', { ...range, ifMatch: etag })) {
      hash.update(chunk)
      size += chunk.length
      if (size < (cuts + 1) * 8 * 1024 ** 2) continue
      cuts++
      way.cut()
    }
    t.equal(cuts, 3)
    const wanted = bytes.subarray(range.start, range.end === undefined ? undefined : range.end + 1)
    t.equal(hash.digest('hex'), createHash('sha256').update(wanted).digest('hex'))
  }

  const body = (await store.get('1.mp4')).iterator()
  await body.next()
  const other = createS3Store(settings)
  t.teardown(() => other.close())
  await other.delete(['1.mp4'])
  await other.put('1.mp4', Readable.from([bytes.subarray(1)]), { contentType })
  way.cut()
  await t.rejects(async () => {
    while (!(await body.next()).done);
  }, ObjectChangedError)
})

t.test('a read ends with an error when the server has stopped', { skip }, async (t) => {
  const settings = await testBucket()
  const way = await breakableWay(t, settings.endpoint ?? '')
  const store = createS3Store({ ...settings, endpoint: way.endpoint })
  t.teardown(() => store.close())
  await store.put('1.mp4', Readable.from([randomBytes(30 * 1024 ** 2)]), { contentType: 'video/mp4' })
  await t.rejects(async () => {
    for await (const _chunk of await store.get('1.mp4')) way.close()
  })
})
