import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { createPartPool, type PartBuffers, partBytes, partsOf } from '../src/s3-parts.ts'

/** Waits for longer than a buffer that is free takes. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await setImmediate()
}

/** Takes buffers until the upload must wait; returns their number, and the call that waits. */
async function takeAll(buffers: PartBuffers) {
  const got: Uint8Array[] = []
  for (;;) {
    const waiting = buffers.take(8)
    const settled = await Promise.race([waiting, turn()])
    if (!settled) return { got, waiting }
    got.push(settled)
  }
}

t.test('every upload has a buffer, and the first ones get four more', async (t) => {
  const pool = createPartPool()
  const [a, b, c] = [pool.open(), pool.open(), pool.open()]
  t.equal((await takeAll(a)).got.length, 5)
  t.equal((await takeAll(b)).got.length, 1, 'nobody waits to begin')
  t.equal((await takeAll(c)).got.length, 1)
  t.equal((await takeAll(createPartPool().open())).got.length, 5, 'another store has a pool of its own')
})

t.test('a buffer that is given back goes to an upload that waits', async (t) => {
  const pool = createPartPool()
  const [a, b] = [pool.open(), pool.open()]
  const [ofA, ofB] = [await takeAll(a), await takeAll(b)]
  a.give(ofA.got[0] ?? new Uint8Array())
  const next = await Promise.race([ofA.waiting, ofB.waiting])
  t.equal(next.buffer, ofA.got[0]?.buffer, 'its memory is filled again')
  a.end()
  b.give(ofB.got[0] ?? new Uint8Array())
  t.equal((await ofB.waiting).length, 8)
  t.equal((await takeAll(b)).got.length, 4, 'b has all that a had')
})

t.test('the filled start of a buffer is given back, and all of its memory is reused', async (t) => {
  const buffers = createPartPool().open()
  const { got, waiting } = await takeAll(buffers)
  buffers.give((got[0] ?? new Uint8Array()).subarray(0, 3))
  const next = await waiting
  t.equal(next.length, 8)
  t.equal(next.buffer, got[0]?.buffer)
})

t.test('64 uploads whose parts have different sizes reuse what the most of them held at once', async (t) => {
  const pool = createPartPool()
  const memory = new Set<ArrayBufferLike>()
  const uploads = 64
  for (let round = 0; round < 4; round++) {
    const open = Array.from({ length: uploads }, () => pool.open())
    const taken = open.map(async (buffers, n) => {
      const part = await buffers.take(partBytes(1, (5 + (3 * (n + round)) / (uploads + 4)) * 1024 ** 2))
      memory.add(part.buffer)
      return part
    })
    for (const [n, part] of (await Promise.all(taken)).entries()) open[n]?.give(part)
    for (const buffers of open) buffers.end()
  }
  t.equal(memory.size, uploads)
  const [large, small] = [pool.open(), pool.open()]
  const part = await large.take(partBytes(4_097))
  t.notOk(memory.has(part.buffer), 'but a part after 20 GiB is larger')
  large.give(part)
  t.equal((await small.take(partBytes(1))).buffer, part.buffer)
})

t.test('a body that ends with a part, is cut or brings nothing leaves no buffer behind', async (t) => {
  const pool = createPartPool()
  const memory = new Set<ArrayBufferLike>()
  async function* body(bytes: number, isCut: boolean) {
    yield Buffer.alloc(bytes)
    if (isCut) throw new Error('cut')
  }
  const all = [partBytes(1), 3, 0].flatMap((bytes) => [true, false].map((isCut) => ({ bytes, isCut })))
  for (const { bytes, isCut } of all) {
    const buffers = pool.open()
    const noted = {
      ...buffers,
      async take(size: number) {
        const buffer = await buffers.take(size)
        memory.add(buffer.buffer)
        return buffer
      },
    }
    const read = async () => {
      for await (const part of partsOf(body(bytes, isCut), noted)) buffers.give(part)
    }
    await (isCut ? t.rejects(read(), { message: 'cut' }) : read())
    buffers.end()
  }
  t.equal(memory.size, 1)
})

t.test('a part that could not be sent ends the wait of its upload, and of no other', async (t) => {
  const pool = createPartPool()
  const [a, b] = [pool.open(), pool.open()]
  const [ofA, ofB] = [await takeAll(a), await takeAll(b)]
  a.fail(new Error('first'))
  a.fail(new Error('second'))
  await t.rejects(ofA.waiting, { message: 'first' })
  await t.rejects(a.take(8), { message: 'first' })
  t.equal(await Promise.race([ofB.waiting, turn()]), undefined, 'b waits on')
  a.end()
  t.equal((await ofB.waiting).length, 8, 'and gets what a had')
})

t.test('an upload that ends while it waits gets an error and keeps no buffer', async (t) => {
  const pool = createPartPool()
  const [a, b] = [pool.open(), pool.open()]
  const ofA = await takeAll(a)
  a.end()
  await t.rejects(ofA.waiting)
  t.equal((await takeAll(b)).got.length, 5)
})

t.test('a body is split into parts of one size and a last one', async (t) => {
  const bytes = Buffer.alloc(2 * partBytes(1) + 7, 'abc')
  const buffers = createPartPool().open()
  async function* body() {
    for (let at = 0; at < bytes.length; at += 1_000_003) yield bytes.subarray(at, at + 1_000_003)
  }
  const parts: Buffer[] = []
  for await (const part of partsOf(body(), buffers)) {
    parts.push(Buffer.from(part))
    buffers.give(part)
  }
  t.strictSame(
    parts.map(({ length }) => length),
    [partBytes(1), partBytes(2), 7],
  )
  t.ok(Buffer.concat(parts).equals(bytes))
})

t.test('no part has bytes that nothing was written into', async (t) => {
  const pool = createPartPool()
  const used = pool.open()
  const secret = (await used.take(partBytes(1))).fill(7)
  used.give(secret)
  for (const room of [Number.NaN, -1, 0.5, partBytes(1) + 1, Number.POSITIVE_INFINITY]) {
    for (const bytes of [0, 3]) {
      const body = Readable.from([Buffer.alloc(bytes)])
      await t.rejects(partsOf(body, pool.open(), { room }).next(), RangeError, `a room of ${room} bytes`)
    }
  }
})

t.test('parts end with the requests that bring them, where each has at least 5 MiB and at most 8', (t) => {
  const least = partBytes(1)
  for (const requestBytes of [
    least,
    8 * 1024 ** 2,
    2 * least - 1,
    2 * least + 1,
    33_554_432,
    50_000_000,
    2 ** 30,
    2 ** 33 + 7,
  ]) {
    let bytes = 0
    const sizes = new Set<number>()
    for (let number = 1; number <= Math.floor(requestBytes / least) && number <= 4_096; number++) {
      const size = partBytes(number, requestBytes)
      sizes.add(size)
      bytes += size
    }
    const [smallest, largest] = [Math.min(...sizes), Math.max(...sizes)]
    t.ok(smallest >= least && largest <= 8 * 1024 ** 2, `${requestBytes}: ${[...sizes]}`)
    if (requestBytes !== 2 * least - 1) t.equal(bytes, requestBytes)
    t.ok(sizes.size <= 2, `${requestBytes}: ${[...sizes]}`)
  }
  for (const requestBytes of [undefined, 0, 1, least - 1, 9 * 1024 ** 2]) t.equal(partBytes(3, requestBytes), least)
  t.equal(partBytes(4_097, 33_554_432), partBytes(4_097), 'and so that 10,000 are enough')
  t.end()
})
