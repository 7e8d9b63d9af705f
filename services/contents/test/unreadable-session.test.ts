import { sessions } from '@playtherapy/schema'
import { until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { openEvents } from './event-client.ts'
import { contents } from './support.ts'

t.test('a session that cannot be read keeps no stream from telling of the others', async (t) => {
  const { db, host, newCase, newSession } = await contents(t)
  const [mine, theirs] = [await newCase(7), await newCase(8)]
  const broken = await newSession(7, mine)
  const [other, foreign] = [await newSession(7, mine), await newSession(8, theirs)]
  const open = (userId: number, headers = {}) =>
    openEvents(t, `${host.url}/contents/api/events`, { ...host.as(userId), ...headers })
  const [stream, foreignStream] = [await open(7), await open(8)]
  await until('their first ids', () => stream.lastId() && foreignStream.lastId())
  const first = stream.lastId()

  // The day of this moment in Seoul is beyond what PostgreSQL knows.
  const createdAt = sql`'294276-12-31 23:00:00+00'`
  const rename = async (name: string) => {
    await db.transaction(async (tx) => {
      for (const id of [broken, other, foreign]) await tx.update(sessions).set({ name }).where(eq(sessions.id, id))
    })
  }
  await db.update(sessions).set({ createdAt }).where(eq(sessions.id, broken))
  await rename('first')
  t.match((await foreignStream.next()).data, { session_id: foreign, session: { name: 'first' } })
  const told = [await stream.next(), await stream.next()]
  t.ok(told.some(({ data }) => data?.session?.name === 'first'))
  t.ok(
    told.some(({ name }) => name === 'reset'),
    'the client is to read the broken one by itself',
  )

  await rename('second')
  t.match((await foreignStream.next()).data, { session: { name: 'second' } })
  t.match((await stream.next()).data, { session_id: other, session: { name: 'second' } })
  t.same(stream.events, [], 'and does not have to at every change')

  const again = await open(7, { 'last-event-id': first })
  t.equal(again.status, 200)
  const missed = [await again.next(), await again.next()]
  t.ok(missed.some(({ data }) => data?.session?.name === 'second'))
  t.ok(missed.some(({ name }) => name === 'reset'))
})
