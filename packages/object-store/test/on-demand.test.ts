import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { storeBackends } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { createFileStore, ObjectChangedError, ObjectMissingError, type ObjectStore } from '../src/index.ts'
import { readsThroughProxy } from './support.ts'

interface Counted {
  store: ObjectStore
  /** Number of running reads of the server, or of open files. */
  held(): Promise<number>
  /** Breaks the running reads. */
  cut(): void
}

async function countedFiles(t: Test): Promise<Counted> {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-objects-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const held = async () => {
    const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
    return (await Promise.all(links)).filter((link) => link.startsWith(directory)).length
  }
  return { store: createFileStore({ directory }), held, cut: () => {} }
}

async function countedReads(t: Test): Promise<Counted> {
  const answers = new Set<{ destroy(): unknown }>()
  const { reading, writing } = await readsThroughProxy(t, (_request, response) => {
    answers.add(response)
    response.once('close', () => answers.delete(response))
    return false
  })
  const cut = () => answers.forEach((answer) => void answer.destroy())
  return { store: { ...writing, get: reading.get }, held: async () => answers.size, cut }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const contentType = 'video/mp4'
const bytes = randomBytes(12 * 1024 ** 2)

/** Waits until nothing is held, for ten seconds at most. */
async function heldInTheEnd(held: () => Promise<number>): Promise<number> {
  for (const end = Date.now() + 10_000; ; await sleep(50)) {
    const count = await held()
    if (count === 0 || Date.now() > end) return count
  }
}

for (const backend of storeBackends) {
  const counted = (t: Test) => (backend === 'file' ? countedFiles(t) : countedReads(t))

  t.test(`${backend}: a reader that pauses holds nothing, and continues later`, async (t) => {
    const { store, held } = await counted(t)
    await store.put('1.mp4', bytes, { contentType })
    const ranges = [
      {},
      { start: 1_000_003 },
      { start: 5, end: bytes.length - 7 },
      { end: 300_000 },
      { start: 0, end: 1 },
    ]
    const readers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const range = ranges[index % ranges.length] ?? {}
        const stream = await store.get('1.mp4', range)
        const iterator: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]()
        const { value } = await iterator.next()
        return { range, iterator, chunks: [value] }
      }),
    )
    t.equal(await heldInTheEnd(held), 0, 'while all pause')
    await Promise.all(readers.map(async ({ iterator, chunks }) => chunks.push((await iterator.next()).value)))
    t.equal(await heldInTheEnd(held), 0, 'while all pause again')
    for (const { range, iterator, chunks } of readers) {
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) chunks.push(next.value)
      const wanted = bytes.subarray(range.start, range.end === undefined ? undefined : range.end + 1)
      t.equal(sha256(Buffer.concat(chunks.filter(Boolean))), sha256(wanted), JSON.stringify(range))
    }
    t.equal(await heldInTheEnd(held), 0, 'when all have ended')
  })

  t.test(`${backend}: a reader that paused gets the version it began with, or an error`, async (t) => {
    const { store, held } = await counted(t)
    for (const [key, replacement, fault] of [
      ['1.mp4', bytes.subarray(1), ObjectChangedError],
      ['2.mp4', undefined, ObjectMissingError],
    ] as const) {
      await store.put(key, bytes, { contentType })
      const reader = (await store.get(key))[Symbol.asyncIterator]()
      await reader.next()
      t.equal(await heldInTheEnd(held), 0)
      await store.delete([key])
      if (replacement) await store.put(key, replacement, { contentType })
      await t.rejects(async () => {
        while (!(await reader.next()).done);
      }, fault)
    }
  })

  t.test(`${backend}: a read has a turn for each source that it opens, and gives it back`, async (t) => {
    const { store, held } = await counted(t)
    await store.put('1.mp4', bytes, { contentType })
    let [taken, under, most] = [0, 0, 0]
    const turn = async () => {
      taken++
      most = Math.max(most, ++under)
      return {
        bytes: 2 * 1024 ** 2,
        giveBack: () => {
          under--
        },
      }
    }
    const end = bytes.length - 1
    let size = 0
    for await (const chunk of await store.get('1.mp4', { start: 0, end, turn })) {
      if (size === 0) await heldInTheEnd(held)
      size += chunk.length
    }
    t.equal(size, bytes.length)
    t.ok(taken >= 6, 'a read with an end comes in pieces, none larger than its turn allows')
    t.same([await heldInTheEnd(async () => under), most], [0, 1])
    await t.rejects(store.get('2.mp4', { start: 0, end, turn }), ObjectMissingError)
    ;(await store.get('1.mp4', { start: 0, end, turn })).destroy()
    t.equal(await heldInTheEnd(async () => under), 0, 'also when nothing was read')
  })

  t.test(`${backend}: a reader that is aborted during a pause leaves nothing`, async (t) => {
    const { store, held } = await counted(t)
    await store.put('1.mp4', bytes, { contentType })
    const abort = new AbortController()
    const [destroyed, aborted] = [await store.get('1.mp4'), await store.get('1.mp4', { signal: abort.signal })]
    for (const stream of [destroyed, aborted]) {
      stream.on('error', () => {})
      await once(stream, 'readable')
      stream.read(1)
    }
    destroyed.destroy()
    abort.abort()
    t.equal(await heldInTheEnd(held), 0)
    t.ok(destroyed.destroyed && aborted.destroyed)
  })
}

t.test('s3: a read that continues after a pause may break too', { skip: !storeBackends.includes('s3') }, async (t) => {
  const { store, held, cut } = await countedReads(t)
  await store.put('1.mp4', bytes, { contentType })
  const chunks: Buffer[] = []
  let size = 0
  let pauses = 0
  for await (const chunk of await store.get('1.mp4')) {
    chunks.push(chunk)
    size += chunk.length
    if (size > pauses * 4 * 1024 ** 2) {
      pauses++
      t.equal(await heldInTheEnd(held), 0)
    } else cut()
  }
  t.equal(pauses, 3)
  t.equal(sha256(Buffer.concat(chunks)), sha256(bytes))
})
