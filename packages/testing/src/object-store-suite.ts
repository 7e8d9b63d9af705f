import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Begun,
  ObjectChangedError,
  ObjectExistsError,
  type ObjectInfo,
  ObjectMissingError,
  type ObjectStore,
  type StoredPart,
} from '@playtherapy/object-store'
import type { Test } from 'tap'
import { randomName } from './names.ts'

const mebibyte = 1024 ** 2
const contentType = 'video/mp4'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Yields the bytes in chunks of this size, as a network would. */
async function* chunked(bytes: Uint8Array, size = 64 * 1024) {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

/** Yields some bytes, and then nothing until `ended` resolves or rejects. */
async function* silentAfter(bytes: Uint8Array, ended: Promise<void> = new Promise(() => {})) {
  yield* chunked(bytes)
  await ended
}

async function* failingAfter(bytes: Uint8Array) {
  yield* chunked(bytes)
  throw new Error('the source broke')
}

async function read(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/**
 * Tests what every object store must do, as `ObjectStore` describes it. The store must have reachable presigned URLs,
 * and no other test may use it.
 */
export function objectStoreSuite(t: Test, store: ObjectStore): void {
  t.jobs = 4
  const put = (key: string, bytes: Uint8Array, size?: number) => store.put(key, chunked(bytes, size), { contentType })
  const list = async (prefix: string) => {
    const found: ObjectInfo[] = []
    for await (const info of store.list(prefix)) found.push(info)
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }
  const keysOf = async (prefix: string) => (await list(prefix)).map((info) => info.key)
  const nothingLeft = async (t: Test, prefix: string) => {
    t.strictSame(await list(prefix), [], 'no object')
    t.equal(await store.abortUploads(prefix), 0, 'no unfinished upload')
  }

  t.test('an object is stored, listed and read', async (t) => {
    await store.check()
    const key = `${randomName()}/a/1.mp4`
    const bytes = randomBytes(100_000)
    const { size, etag } = await put(key, bytes, 777)
    t.equal(size, 100_000)
    const info = await store.head(key)
    t.match(info, { key, size, etag, lastModified: Date })
    t.match(await list(key), [{ key, size, etag, lastModified: Date }])
    t.equal(sha256(await read(await store.get(key))), sha256(bytes))
    t.equal(sha256(await read(await store.get(key, { ifMatch: etag }))), sha256(bytes))
  })

  t.test('the beginnings of all objects are read', async (t) => {
    const prefix = `${randomName()}/`
    for (const content of ['', 'a', 'abc', 'abcdef']) await put(`${prefix}${content.length}`, Buffer.from(content))
    const found: unknown[] = []
    for await (const { key, bytes, lockedUntil } of store.history(prefix, 3)) {
      found.push([key.slice(prefix.length), `${Buffer.from(bytes ?? 'unreadable')}`, lockedUntil])
    }
    t.strictSame(found.sort(), [
      ['0', '', undefined],
      ['1', 'a', undefined],
      ['3', 'abc', undefined],
      ['6', 'abc', undefined],
    ])
  })

  t.test('a range of an object is read', async (t) => {
    const key = `${randomName()}/1.mp4`
    const { etag } = await put(key, Buffer.from('0123456789'))
    const part = async (range: object) => `${await read(await store.get(key, range))}`
    t.equal(await part({ start: 3, end: 5, ifMatch: etag }), '345')
    t.equal(await part({ start: 7 }), '789')
    t.equal(await part({ end: 0 }), '0')
    t.equal(await part({ start: 9, end: 9 }), '9')
  })

  for (const [what, size, chunk] of [
    ['an empty object', 0, 1],
    ['exactly the bytes of two parts', 10 * mebibyte, 64 * 1024],
    ['many parts and a rest, in chunks of an odd size', 20 * mebibyte + 7, 100_003],
    ['one chunk larger than a part', 13 * mebibyte, 13 * mebibyte],
  ] as const) {
    t.test(what, async (t) => {
      const key = `${randomName()}/1.mp4`
      const bytes = randomBytes(size)
      const { etag } = await put(key, bytes, chunk)
      t.match(await store.head(key), { size, etag })
      t.equal(sha256(await read(await store.get(key))), sha256(bytes))
    })
  }

  t.test('a missing object cannot be read, and its deletion succeeds', async (t) => {
    const key = `${randomName()}/1.mp4`
    t.equal(await store.head(key), undefined)
    await t.rejects(store.get(key), ObjectMissingError)
    await t.rejects(store.get(key, { ifMatch: '"x"', start: 1 }), ObjectMissingError)
    await store.delete([key])
    await store.delete([])
    await nothingLeft(t, key)
  })

  t.test('an object with another ETag is not read', async (t) => {
    const key = `${randomName()}/1.mp4`
    await put(key, Buffer.from('one'))
    await t.rejects(store.get(key, { ifMatch: '"another"' }), ObjectChangedError)
    await t.rejects(store.get(key, { ifMatch: '"another"', start: 1, end: 1 }), ObjectChangedError)
  })

  t.test('an object is written once', async (t) => {
    const key = `${randomName()}/1.mp4`
    await put(key, Buffer.from('first'))
    await t.rejects(put(key, Buffer.from('other')), ObjectExistsError)
    await t.rejects(put(key, randomBytes(11 * mebibyte)), ObjectExistsError)
    t.equal(`${await read(await store.get(key))}`, 'first')
    t.equal(await store.abortUploads(key), 0)

    const contested = `${randomName()}/2.mp4`
    const results = await Promise.allSettled(['a', 'b', 'c', 'd'].map((text) => put(contested, Buffer.from(text))))
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    t.equal(refused.length, 3)
    t.ok(refused.every((reason) => reason instanceof ObjectExistsError))
  })

  for (const [what, size] of [
    ['before the first byte', 0],
    ['within the first part', 1_000],
    ['within a later part', 12 * mebibyte],
  ] as const) {
    t.test(`a source that fails ${what} leaves nothing`, async (t) => {
      const prefix = `${randomName()}/`
      await t.rejects(store.put(`${prefix}1.mp4`, failingAfter(randomBytes(size)), { contentType }), {
        message: 'the source broke',
      })
      await nothingLeft(t, prefix)
    })

    t.test(`a put aborted while its source is silent ${what} leaves nothing`, async (t) => {
      const prefix = `${randomName()}/`
      const abort = new AbortController()
      const options = { contentType, signal: abort.signal }
      const result = store.put(`${prefix}1.mp4`, silentAfter(randomBytes(size)), options)
      result.catch(() => {})
      await sleep(200)
      abort.abort(new Error('disconnected'))
      await t.rejects(result, { message: 'disconnected' })
      await nothingLeft(t, prefix)
    })
  }

  t.test('a put aborted at any moment leaves nothing, or has stored the whole object', async (t) => {
    const prefix = `${randomName()}/`
    const bytes = randomBytes(11 * mebibyte)
    const moments = Array.from({ length: 12 }, (_, index) => index * 15)
    const stored = await Promise.all(
      moments.map(async (milliseconds) => {
        const abort = new AbortController()
        const key = `${prefix}${milliseconds}.mp4`
        const result = store.put(key, chunked(bytes), { contentType, signal: abort.signal }).then(
          () => [key],
          () => [],
        )
        await sleep(milliseconds)
        abort.abort()
        return result
      }),
    )
    t.strictSame(await keysOf(prefix), stored.flat().sort())
    t.equal(await store.abortUploads(prefix), 0)
  })

  t.test('a put whose signal is already aborted does not begin', async (t) => {
    const prefix = `${randomName()}/`
    const signal = AbortSignal.abort(new Error('disconnected'))
    const options = { contentType, signal }
    await t.rejects(store.put(`${prefix}1.mp4`, chunked(randomBytes(10)), options), { message: 'disconnected' })
    await nothingLeft(t, prefix)
  })

  t.test('an unfinished upload of another process can be found and aborted', async (t) => {
    const prefix = `${randomName()}/1/`
    let goOn = () => {}
    const silence = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const result = store.put(`${prefix}1.mp4`, silentAfter(randomBytes(12 * mebibyte), silence), { contentType })
    result.catch(() => {})
    const seen = []
    while (seen.length === 0) {
      for await (const upload of store.unfinished(prefix)) seen.push(upload)
      await sleep(20)
    }
    t.match(seen, [{ key: `${prefix}1.mp4`, began: Date }])
    t.ok(Math.abs(Date.now() - (seen[0]?.began.getTime() ?? 0)) < 60_000, 'its start is known')
    t.equal(await store.abortUploads(prefix), 1)
    goOn()
    await t.rejects(result)
    await nothingLeft(t, prefix)
  })

  t.test('a prefix may end within a name, and lists and deletions may be longer than one response', async (t) => {
    const prefix = `${randomName()}/`
    const keys = Array.from({ length: 1_010 }, (_, index) => `${prefix}${index}/video.mp4`)
    const left = [...keys]
    const worker = async () => {
      for (let key = left.pop(); key; key = left.pop()) await put(key, Buffer.from('x'))
    }
    await Promise.all(Array.from({ length: 16 }, worker))
    t.strictSame(await keysOf(prefix), [...keys].sort())
    t.strictSame(await keysOf(`${prefix}7/`), [`${prefix}7/video.mp4`])
    t.equal((await keysOf(`${prefix}7`)).length, 1 + 10 + 100)
    t.strictSame(await keysOf(`${prefix}7/video.mp4x`), [])
    await store.delete(keys)
    t.strictSame(await keysOf(prefix), [])
  })

  t.test('a body in one buffer is stored', async (t) => {
    const prefix = `${randomName()}/`
    for (const size of [0, 1_000, 11 * mebibyte + 1]) {
      const bytes = randomBytes(size)
      const stored = await store.put(`${prefix}${size}.json`, bytes, { contentType })
      t.equal(stored.size, size)
      t.equal(sha256(await read(await store.get(`${prefix}${size}.json`))), sha256(bytes))
    }
  })

  t.test('concurrent uploads do not mix their bytes', async (t) => {
    const prefix = `${randomName()}/`
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const bytes = randomBytes(11 * mebibyte + index)
        await put(`${prefix}${index}.mp4`, bytes, 10_000 + index)
        t.equal(sha256(await read(await store.get(`${prefix}${index}.mp4`))), sha256(bytes))
      }),
    )
  })

  t.test('an aborted read ends and releases its connection', async (t) => {
    const key = `${randomName()}/1.mp4`
    await put(key, randomBytes(4 * mebibyte))
    const abort = new AbortController()
    const body = await store.get(key, { signal: abort.signal })
    await t.rejects(async () => {
      for await (const _chunk of body) abort.abort()
    })
    t.ok(body.destroyed)
    await t.rejects(store.get(key, { signal: abort.signal }))
    // 300 reads are more than the store has connections.
    const unread = async () => {
      const abort = new AbortController()
      await store.get(key, { signal: abort.signal })
      abort.abort()
    }
    await Promise.all(Array.from({ length: 300 }, unread))
    t.equal((await read(await store.get(key, { start: 4 * mebibyte - 1 }))).length, 1)
  })

  t.test('an object is stored in several calls, which may end anywhere', async (t) => {
    const prefix = `${randomName()}/`
    const key = `${prefix}1.mp4`
    const bytes = randomBytes(23 * mebibyte + 7)
    const id = await store.beginUpload(key)
    const begun: Begun = { id, partsBytes: 0, nextPart: 1, tail: undefined }
    const parts: StoredPart[] = []
    const signal = new AbortController().signal
    const append = async (to: number) => {
      const from = begun.partsBytes + (begun.tail?.size ?? 0)
      const earlier = begun.tail
      const onPart = (part: StoredPart) => {
        parts.push(part)
        begun.partsBytes += part.size
        begun.nextPart = part.number + 1
        begun.tail = undefined
      }
      const options = { length: bytes.length, onPart, signal }
      begun.tail = await store.appendUpload(key, { ...begun }, chunked(bytes.subarray(from, to), 60_001), options)
      if (earlier) await store.removeTail(key, earlier, begun.tail)
      t.equal(begun.partsBytes + (begun.tail?.size ?? 0), to)
    }
    for (const to of [1, 3, 5 * mebibyte, 11 * mebibyte, 11 * mebibyte + 5]) await append(to)
    // One that died reported nothing of what it stored.
    const dead = { length: bytes.length, onPart: () => {}, signal }
    await store.appendUpload(key, { ...begun }, chunked(bytes.subarray(11 * mebibyte + 5)), dead)
    for (const to of [16 * mebibyte + 9, bytes.length - 1, bytes.length]) await append(to)
    const unfinished = []
    for await (const upload of store.unfinished(prefix)) unfinished.push(upload.key)
    t.strictSame([...new Set(unfinished)], [key], 'it is found by the key of the object')
    t.strictSame(await list(prefix), [], 'it is no object yet')
    const stored = await store.finishUpload(key, id, parts)
    t.equal(stored.size, bytes.length)
    t.match(await store.head(key), stored)
    t.equal(sha256(await read(await store.get(key, { ifMatch: stored.etag }))), sha256(bytes))
    t.strictSame(await store.finishUpload(key, id, parts), stored, 'again')
    t.equal(await store.abortUploads(prefix), 0, 'nothing else is left')
    t.match(await list(prefix), [{ key }])
  })

  t.test('calls of any size, also very small ones, leave few objects and no parts of their own', async (t) => {
    const prefix = `${randomName()}/`
    const key = `${prefix}1.mp4`
    const bytes = randomBytes(5 * mebibyte + 1_000)
    const id = await store.beginUpload(key)
    const begun: Begun = { id, partsBytes: 0, nextPart: 1, tail: undefined }
    const parts: StoredPart[] = []
    const { signal } = new AbortController()
    const onPart = (part: StoredPart) => void parts.push(part)
    const append = async (to: number) => {
      const earlier = begun.tail
      const piece = chunked(bytes.subarray(earlier?.size ?? 0, to))
      begun.tail = await store.appendUpload(key, { ...begun }, piece, { length: bytes.length, onPart, signal })
      if (earlier) await store.removeTail(key, earlier, begun.tail)
    }
    for (const to of [1, 2, 3, 4, 5, 6, 7, 8, 1_000, 1_001, 1_500, 4_000_000]) await append(to)
    for (let size = 4_000_000; size < 4_002_000; size += 80) await append(size)
    t.strictSame(parts, [])
    let objects = 0
    for await (const _ of store.unfinished(prefix)) objects++
    t.ok(objects < 10, `${objects} objects`)
    await append(bytes.length)
    const stored = await store.finishUpload(key, id, parts)
    t.equal(sha256(await read(await store.get(key, { ifMatch: stored.etag }))), sha256(bytes))
    t.equal(await store.abortUploads(prefix), 0, 'nothing else is left')
  })

  t.test(
    'a call that goes on after the object was made, and one that makes it again, change nothing of it',
    async (t) => {
      const prefix = `${randomName()}/`
      const key = `${prefix}1.mp4`
      const bytes = randomBytes(7 * mebibyte)
      const id = await store.beginUpload(key)
      const begun = { id, partsBytes: 0, nextPart: 1, tail: undefined }
      const { signal } = new AbortController()
      let goOn = () => {}
      const silence = new Promise<void>((resolve) => {
        goOn = resolve
      })
      async function* late() {
        yield bytes.subarray(0, mebibyte)
        await silence
        yield randomBytes(7 * mebibyte)
      }
      const stalled = store.appendUpload(key, begun, late(), { length: undefined, onPart: () => {}, signal })
      stalled.catch(() => {})
      const parts: StoredPart[] = []
      const onPart = (part: StoredPart) => void parts.push(part)
      await store.appendUpload(key, begun, chunked(bytes), { length: bytes.length, onPart, signal })
      const [stored, ...others] = await Promise.all([1, 2, 3].map(() => store.finishUpload(key, id, parts)))
      t.strictSame(others, [stored, stored], 'all find the same object')
      // The folder store names versions by their second.
      await sleep(1_100)
      goOn()
      await stalled.catch(() => {})
      t.strictSame(await store.finishUpload(key, id, parts), stored)
      t.match(await store.head(key), stored)
      t.equal(sha256(await read(await store.get(key, { ifMatch: stored?.etag ?? '' }))), sha256(bytes))
      await store.abortUploads(prefix)
      t.match(await list(prefix), [{ key }])
    },
  )

  t.test('what is stored in several calls can be aborted between them and during one', async (t) => {
    const prefix = `${randomName()}/`
    const key = `${prefix}1.mp4`
    const id = await store.beginUpload(key)
    const parts: StoredPart[] = []
    const begun = { id, partsBytes: 0, nextPart: 1, tail: undefined }
    const options = (signal: AbortSignal) => ({
      length: undefined,
      onPart: (part: StoredPart) => void parts.push(part),
      signal,
    })
    const abort = new AbortController()
    const running = store.appendUpload(key, begun, silentAfter(randomBytes(9 * mebibyte)), options(abort.signal))
    while (parts.length === 0) await sleep(20)
    abort.abort(new Error('lost'))
    await t.rejects(running, { message: 'lost' })
    const { signal } = new AbortController()
    const broken = store.appendUpload(key, begun, failingAfter(randomBytes(7 * mebibyte)), options(signal))
    await t.rejects(broken, { message: 'the source broke' })
    await store.appendUpload(key, begun, chunked(randomBytes(mebibyte)), options(signal))
    t.ok((await store.abortUploads(prefix)) > 0)
    await nothingLeft(t, prefix)
    const later = store.appendUpload(key, begun, chunked(randomBytes(6 * mebibyte)), options(signal))
    await t.rejects(later, ObjectMissingError)
    await t.rejects(store.finishUpload(key, id, parts))
    await nothingLeft(t, prefix)
  })

  t.test('a presigned URL is valid for one key, type and time', async (t) => {
    const prefix = `${randomName()}/`
    const key = `${prefix}1.mp4`
    const url = await store.presignPut(key, { contentType, expiresIn: 60 })
    const send = async (to: string, body: Uint8Array<ArrayBuffer> | string = 'x', type = contentType) => {
      const response = await fetch(to, { method: 'PUT', body, headers: { 'content-type': type } })
      await response.text()
      return response
    }
    t.equal((await send(url, 'x', 'text/html')).status, 403, 'another content type')
    t.equal((await send(url.replace('1.mp4', '2.mp4'))).status, 403, 'another key')
    const tampered = url.replace(/(signature=)([0-9a-f])/i, (_, name, digit) => name + (digit === '0' ? '1' : '0'))
    t.equal((await send(tampered)).status, 403, 'another signature')
    t.equal((await send(url.replace(/(Expires|expires)=\d+/, '$1=9999999999'))).status, 403, 'another time of expiry')
    t.equal((await send(url.split('?')[0] ?? '')).status, 403, 'no signature')
    await nothingLeft(t, prefix)

    t.equal(await store.inspectUpload(key, 9), undefined)

    const response = await send(url, randomBytes(7 * mebibyte))
    t.equal(response.status, 200)
    const first = await store.inspectUpload(key, 9)
    t.match(first, { key, size: 7 * mebibyte, etag: response.headers.get('etag'), lastModified: Date, isPlain: true })
    t.equal((await send(url, '')).status, 200, 'an empty body')
    t.match(await store.inspectUpload(key, 9), { size: 0, start: new Uint8Array() })
    await t.rejects(store.adoptUpload(key, first?.etag ?? ''), ObjectChangedError, 'it was replaced')
    t.equal(await store.head(key), undefined, 'it is no object yet')
    t.strictSame(await list(prefix), [])
    const waiting = []
    for await (const upload of store.unfinished(prefix)) waiting.push(upload)
    t.match(waiting, [{ key, began: Date }])
    t.equal(await store.abortUploads(prefix), 1)
    await nothingLeft(t, prefix)
    await t.rejects(store.adoptUpload(key, first?.etag ?? ''), ObjectMissingError)
  })

  t.test('the last PUT of a presigned URL before it is adopted is the object, whatever comes later', async (t) => {
    const key = `${randomName()}/1.mp4`
    const url = await store.presignPut(key, { contentType, expiresIn: 60 })
    const send = async (body: Uint8Array<ArrayBuffer> | ReadableStream) => {
      const headers = { 'content-type': contentType, 'content-length': String(9 * mebibyte) }
      const response = await fetch(url, { method: 'PUT', body, headers, duplex: 'half' })
      await response.text()
      return response.status
    }
    t.equal(await send(randomBytes(9 * mebibyte)), 200)
    const bytes = randomBytes(9 * mebibyte)
    t.equal(await send(bytes), 200)
    let goOn = () => {}
    const silence = new Promise<void>((resolve) => {
      goOn = resolve
    })
    async function* slowly() {
      yield randomBytes(8 * mebibyte)
      await silence
      yield randomBytes(mebibyte)
    }
    const slow = send(ReadableStream.from(slowly()))
    const upload = await store.inspectUpload(key, 9)
    t.strictSame(Buffer.from(upload?.start ?? []), bytes.subarray(0, 9))
    const adopted = await store.adoptUpload(key, upload?.etag ?? '')
    t.equal(adopted.size, bytes.length)
    t.strictSame(await store.adoptUpload(key, upload?.etag ?? ''), adopted, 'again')
    const isAdopted = async (when: string) => {
      t.match(await store.head(key), adopted, when)
      t.equal(sha256(await read(await store.get(key, { ifMatch: adopted.etag }))), sha256(bytes), when)
    }
    await isAdopted('at once')
    goOn()
    await slow
    await isAdopted('after a PUT that began before')
    await send(randomBytes(9 * mebibyte))
    await isAdopted('after a later PUT')
    await store.abortUploads(key)
    await send(randomBytes(9 * mebibyte))
    await isAdopted('after what was uploaded is removed')
    t.match(await list(key), [{ key }], 'it is one object')
  })

  t.test('after an announcement that failed in its last step, the upload may be repeated', async (t) => {
    const key = `${randomName()}/1.mp4`
    const url = await store.presignPut(key, { contentType, expiresIn: 60 })
    const send = async (body: string) => {
      const response = await fetch(url, { method: 'PUT', body, headers: { 'content-type': contentType } })
      await response.text()
      t.equal(response.status, 200)
      return (await store.inspectUpload(key, 9))?.etag ?? ''
    }
    await store.adoptUpload(key, await send('first'))
    const adopted = await store.adoptUpload(key, await send('other'))
    t.match(await store.head(key), adopted)
    t.equal(`${await read(await store.get(key, { ifMatch: adopted.etag }))}`, 'other')
  })

  t.test('an upload of the release before this one, which led to the final key, is adopted', async (t) => {
    const key = `${randomName()}/1.mp4`
    const { etag } = await put(key, Buffer.from('bytes'))
    t.match(await store.inspectUpload(key, 3), { key, size: 5, etag, start: Buffer.from('byt') })
    t.strictSame(await store.adoptUpload(key, etag), { size: 5, etag })
  })

  t.test('a presigned URL expires', async (t) => {
    const key = `${randomName()}/1.mp4`
    const url = await store.presignPut(key, { contentType, expiresIn: 1 })
    await sleep(2_100)
    const response = await fetch(url, { method: 'PUT', body: 'x', headers: { 'content-type': contentType } })
    t.equal(response.status, 403)
    t.equal(await store.inspectUpload(key, 9), undefined)
  })
}
