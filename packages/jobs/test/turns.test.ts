import {
  announce,
  announceEach,
  type ChunkKind,
  caseExports,
  cases,
  chunks,
  type Database,
  sessions,
  videos,
} from '@playtherapy/schema'
import { type QueueBackend, queueBackends, until } from '@playtherapy/testing'
import { eq, inArray } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { type Place, testPlace } from './support.ts'

/** So many stored recordings of a therapist, each announced; returns their ids. */
async function upload(db: Database, userId: number, count: number): Promise<number[]> {
  const [owned] = await db.insert(cases).values({ userId, givenName: 'a' }).returning()
  const ids: number[] = []
  for (let index = 0; index < count; index++) {
    const [session] = await db
      .insert(sessions)
      .values({ caseId: owned?.id ?? 0, name: 's' })
      .returning()
    const described = { state: 'stored', size: 1, etag: 'e', container: 'mp4', storedAt: new Date() } as const
    const path = `LOCAL/${userId}/${session?.id}.mp4`
    const [video] = await db
      .insert(videos)
      .values({ sessionId: session?.id ?? 0, path, ...described })
      .returning()
    ids.push(video?.id ?? 0)
    await announce(db, 'encode-video', { video_id: video?.id ?? 0 })
  }
  return ids
}

/** So many cases of a therapist, of each of which an export is announced; returns the ids of the exports. */
async function exportCases(db: Database, userId: number, count: number): Promise<number[]> {
  const ids: number[] = []
  for (let index = 0; index < count; index++) {
    const [owned] = await db.insert(cases).values({ userId, givenName: 'a' }).returning()
    const [made] = await db
      .insert(caseExports)
      .values({ caseId: owned?.id ?? 0, withoutMedia: false, pseudonyms: false })
      .returning()
    ids.push(made?.id ?? 0)
    await announce(db, 'export-case', { export_id: made?.id ?? 0 })
  }
  return ids
}

/** Plans the encode of a stored recording: so many chunks of each kind, each announced. Returns their ids by kind. */
async function plan(db: Database, videoId: number, planned: [ChunkKind, count: number][]) {
  const rows = await db
    .insert(chunks)
    .values(
      planned.flatMap(([kind, count]) =>
        Array.from({ length: count }, (_, index) => ({
          videoId,
          kind,
          index,
          fromSeconds: index,
          toSeconds: index + 1,
        })),
      ),
    )
    .returning({ id: chunks.id, kind: chunks.kind })
  await announceEach(
    db,
    'encode-chunk',
    rows.map(({ id }) => ({ video_id: videoId, chunk_id: id })),
  )
  return (kind: ChunkKind) => rows.filter((row) => row.kind === kind).map(({ id }) => id)
}

/** Jobs that are noted and held until `release`; from then on they end at once. */
function heldJobs() {
  const taken: number[] = []
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  return {
    taken,
    release: () => release(),
    async handler(
      payload: { video_id: number; chunk_id?: number } | { export_id: number },
      { signal }: { signal: AbortSignal },
    ) {
      taken.push('export_id' in payload ? payload.export_id : (payload.chunk_id ?? payload.video_id))
      await Promise.race([held, new Promise((_, reject) => signal.addEventListener('abort', reject, { once: true }))])
    },
  }
}

const published = (place: Place) => until('publication', async () => (await place.unpublishedRows()) === 0)

async function takesTurns(t: Test, backend: QueueBackend) {
  t.test('a hundred recordings of one therapist hold up no other', async (t) => {
    const place = await testPlace(t, backend)
    const encodes = heldJobs()
    await place.start({ handlers: { 'encode-video': encodes.handler } })
    const many = await upload(place.database.db, 1, 100)
    await published(place)
    const few = await upload(place.database.db, 2, 2)
    const [last] = await upload(place.database.db, 3, 1)
    await published(place)
    encodes.release()
    await until('all encodes', () => encodes.taken.length === 103)
    // The first was under way already; then everybody's first, in order of arrival, then the second ones.
    t.strictSame(encodes.taken.slice(0, 6), [many[0], few[0], last, many[1], few[1], many[2]])
    t.strictSame(
      encodes.taken.filter((id) => many.includes(id)),
      many,
      'each in order of arrival',
    )
  })

  t.test('fifty exports of one therapist hold up no other, nor do recordings count with them', async (t) => {
    const place = await testPlace(t, backend)
    const { db } = place.database
    const exports = heldJobs()
    await place.start({ handlers: { 'encode-video': async () => {}, 'export-case': exports.handler } })
    const many = await exportCases(db, 1, 50)
    await published(place)
    await upload(db, 2, 3)
    const few = await exportCases(db, 2, 2)
    const deleted = await exportCases(db, 3, 1)
    await db.delete(caseExports).where(inArray(caseExports.id, deleted))
    const [last] = await exportCases(db, 4, 1)
    await published(place)
    exports.release()
    await until('all exports', () => exports.taken.length === 54)
    const taken = exports.taken.filter((id) => !deleted.includes(id))
    t.strictSame(taken.slice(0, 6), [many[0], few[0], last, many[1], few[1], many[2]])
    t.strictSame(
      taken.filter((id) => many.includes(id)),
      many,
      'each in order of arrival',
    )
  })

  t.test('each recording becomes playable before any is finished, and no therapist waits for another', async (t) => {
    const place = await testPlace(t, backend)
    const { db } = place.database
    const encodes = heldJobs()
    await place.start({ handlers: { 'encode-video': async () => {}, 'encode-chunk': encodes.handler } })
    const [busy = 0, ...many] = await upload(db, 1, 6)
    await plan(db, busy, [['picture', 1]])
    await until('the first encode', () => encodes.taken.length === 1)
    // A therapist with five recordings, of which one is only copied, and then one with one.
    const [copied = 0, encoded = 0, ...filmed] = many
    const copy = await plan(db, copied, [
      ['sound', 1],
      ['copy', 1],
      ['lower', 3],
    ])
    await db.update(videos).set({ state: 'encoding' }).where(eq(videos.id, encoded))
    await db.update(videos).set({ state: 'encoded' }).where(eq(videos.id, encoded))
    // It plays already, as a rendition of an older release.
    const again = await plan(db, encoded, [
      ['sound', 1],
      ['picture', 3],
    ])
    const plans = []
    for (const id of filmed)
      plans.push(
        await plan(db, id, [
          ['sound', 1],
          ['picture', 3],
        ]),
      )
    const [other = 0] = await upload(db, 2, 1)
    const theirs = await plan(db, other, [
      ['sound', 1],
      ['picture', 3],
    ])
    await published(place)
    encodes.release()
    const all = 1 + 5 + 4 + plans.length * 4 + 4
    await until('all chunks', () => encodes.taken.length === all)

    const order = (id = 0) => encodes.taken.indexOf(id)
    const first = (of: typeof theirs) => [...of('sound'), ...of('copy'), ...of('picture').slice(0, 1)]
    const urgent = [theirs, copy, ...plans].flatMap(first)
    const later = [theirs, ...plans].flatMap((of) => of('picture').slice(1))
    const unhurried = [...copy('lower'), ...again('sound'), ...again('picture')]
    const ranks = [urgent, later, unhurried].map((ids) => ids.map(order).sort((a, b) => a - b))
    t.strictSame(
      ranks.flat(),
      Array.from({ length: all - 1 }, (_, index) => index + 1),
      'one rank after the other',
    )
    t.ok(Math.max(...first(theirs).map(order)) <= 5, 'the other therapist’s first chunks are among the first')
    const [start = 0] = ranks[1] ?? []
    t.ok(Math.max(...theirs('picture').slice(1).map(order)) < start + 4, 'and the later ones among the later ones')
    for (const of of [theirs, ...plans]) {
      const pictures = of('picture').map(order)
      t.strictSame(
        pictures,
        pictures.toSorted((a, b) => a - b),
        'each recording from its beginning',
      )
    }
  })

  t.test('what a closing worker puts back, and what a lost queue has announced again, keeps its turn', async (t) => {
    const place = await testPlace(t, backend)
    const { db, sql } = place.database
    const before = heldJobs()
    const closing = await place.start({ handlers: { 'encode-video': before.handler } })
    const many = await upload(db, 1, 5)
    const few = await upload(db, 2, 1)
    await published(place)
    await until('the first encode', () => before.taken.length === 1)
    await closing.close(100)
    // As after a wiped queue: the reconciler announces what it misses in new rows.
    await place.queues.queue('encode-video').obliterate({ force: true })
    await sql`with lost as (delete from outbox returning name, payload, id)
      insert into outbox (name, payload) select name, payload from lost order by id`
    const after = heldJobs()
    after.release()
    await place.start({ handlers: { 'encode-video': after.handler } })
    await until('all encodes', () => after.taken.length === 6)
    t.strictSame(after.taken.slice(0, 2).sort(), [many[0], few[0]].sort())
  })

  t.test('rows that are about no recording of anybody are published all the same', async (t) => {
    const place = await testPlace(t, backend)
    const { db, sql } = place.database
    const encodes = heldJobs()
    encodes.release()
    await sql`insert into outbox (name, payload) values
      ('encode-video', '{"video_id": "x"}'), ('encode-video', '{"video_id": 99999999999}'), ('nonsense', '[]')`
    await announce(db, 'encode-video', { video_id: 12_345 })
    const [video] = await upload(db, 1, 1)
    await place.start({ handlers: { 'encode-video': encodes.handler } })
    await until('both', () => encodes.taken.includes(12_345) && encodes.taken.includes(video ?? 0))
  })
}

for (const backend of queueBackends) t.test(backend, (t) => takesTurns(t, backend))
