import { announce, cases, type Database, sessions, videos } from '@playtherapy/schema'
import { type QueueBackend, queueBackends, until } from '@playtherapy/testing'
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

/** Encodes that are noted and held until `release`; from then on they end at once. */
function heldEncodes() {
  const taken: number[] = []
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  return {
    taken,
    release: () => release(),
    async handler({ video_id }: { video_id: number }, { signal }: { signal: AbortSignal }) {
      taken.push(video_id)
      await Promise.race([held, new Promise((_, reject) => signal.addEventListener('abort', reject, { once: true }))])
    },
  }
}

const published = (place: Place) => until('publication', async () => (await place.unpublishedRows()) === 0)

async function takesTurns(t: Test, backend: QueueBackend) {
  t.test('a hundred recordings of one therapist hold up no other', async (t) => {
    const place = await testPlace(t, backend)
    const encodes = heldEncodes()
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

  t.test('what a closing worker puts back, and what a lost queue has announced again, keeps its turn', async (t) => {
    const place = await testPlace(t, backend)
    const { db, sql } = place.database
    const before = heldEncodes()
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
    const after = heldEncodes()
    after.release()
    await place.start({ handlers: { 'encode-video': after.handler } })
    await until('all encodes', () => after.taken.length === 6)
    t.strictSame(after.taken.slice(0, 2).sort(), [many[0], few[0]].sort())
  })

  t.test('rows that are about no recording of anybody are published all the same', async (t) => {
    const place = await testPlace(t, backend)
    const { db, sql } = place.database
    const encodes = heldEncodes()
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
