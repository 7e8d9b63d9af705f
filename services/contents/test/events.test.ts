import { previews, sessions, videos } from '@playtherapy/schema'
import { until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { openEvents } from './event-client.ts'
import { type Contents, contents } from './support.ts'

const therapist = 7
const path = '/contents/api/events'
/** A service with a case and a session, and a function that opens streams there. */
async function place(t: Parameters<typeof contents>[0]) {
  const service = await contents(t)
  const caseId = await service.newCase(therapist)
  const sessionId = await service.newSession(therapist, caseId)
  const open = (query = '', headers: Record<string, string> = {}, userId = therapist) =>
    openEvents(t, service.host.url + path + query, { ...service.host.as(userId), ...headers })
  const rename = (name: string, id = sessionId) => service.db.update(sessions).set({ name }).where(eq(sessions.id, id))
  return { ...service, caseId, sessionId, open, rename }
}

const newVideo = async ({ db }: Contents, sessionId: number) => {
  const [video] = await db
    .insert(videos)
    .values({
      sessionId,
      state: 'receiving',
      path: `${sessionId}-${Math.random()}`,
      fileName: '첫 회기.mp4',
      received: 5,
    })
    .returning({ id: videos.id })
  return eq(videos.id, video?.id ?? 0)
}

const sessionOfOther = async ({ newCase, newSession }: Contents) => newSession(8, await newCase(8))

t.test('a stream tells the state of each session that changes, as it then is', async (t) => {
  const service = await place(t)
  const { db, caseId, sessionId, open } = service
  const stream = await open()
  t.equal(stream.status, 200)
  t.match(stream.headers, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  })
  await until('its first id', stream.lastId)
  const [status, body] = await service.call(therapist, 'PUT', `/${caseId}/session/${sessionId}`, {
    data: { name: '둘째' },
  })
  t.equal(status, 200)
  const renamed = await stream.next()
  t.match(renamed, { name: 'session', data: { case_id: caseId, session_id: sessionId, deleted: false } })
  t.same(renamed.data, { ...renamed.data, session: body, video: null, script: null, report: null })

  const video = await newVideo(service, sessionId)
  t.match((await stream.next()).data, { video: { state: 'receiving', received: 5, file_name: '첫 회기.mp4' } })
  await db.update(videos).set({ received: 9 }).where(video)
  t.match((await stream.next()).data, { video: { state: 'receiving', received: 9 } })
  await db.update(videos).set({ state: 'failed', failure: 'The file is broken.' }).where(video)
  t.match((await stream.next()).data, { video: { state: 'failed', failure: 'The file is broken.' } })
  t.same(await service.call(therapist, 'DELETE', `/${caseId}/session/${sessionId}`), [200, true])
  const gone = { case_id: caseId, session_id: sessionId, deleted: true, session: null, video: null }
  t.match((await stream.next()).data, gone)
})

t.test('still pictures are told of when they come, some time after the end of the encode', async (t) => {
  const service = await place(t)
  const { db, sessionId, open } = service
  await newVideo(service, sessionId)
  const [video] = await db.select({ id: videos.id }).from(videos)
  const stream = await open()
  await until('its first id', stream.lastId)
  await db.insert(previews).values({
    videoId: video?.id ?? 0,
    ...{ posterPath: 'p', posterSize: 5, posterEtag: '"1"' },
    ...{ storyboardPath: 's', storyboardSize: 5, storyboardEtag: '"1"' },
    storyboard: { columns: 2, rows: 1, width: 160, height: 90, seconds: 2, tiles: 2 },
  })
  t.match((await stream.next()).data, { session_id: sessionId })
})

t.test('ids rise with every event', async (t) => {
  const service = await place(t)
  const stream = await service.open()
  const video = await newVideo(service, service.sessionId)
  const ids = [Number(stream.lastId())]
  for (let received = 6; received < 10; received++) {
    ids.push(Number((await stream.next()).id))
    await service.db.update(videos).set({ received }).where(video)
  }
  t.same(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
  )
})

t.test('a client that comes back is told what has changed since, or that it is not known', async (t) => {
  const service = await place(t)
  const { db, caseId, sessionId, open, rename } = service
  const [other, third] = [await service.newSession(therapist, caseId), await service.newSession(therapist, caseId)]
  const first = await open()
  await rename('seen')
  const { id } = await first.next()
  first.close()

  const again = (last: string) => open('', { 'last-event-id': last })
  const quiet = await again(id)
  await until('its first id', quiet.lastId)
  t.same(quiet.events, [])
  t.ok(Number(quiet.lastId()) >= Number(id))
  await sessionOfOther(service)
  const later = await again(id)
  await until('its first id', later.lastId)
  t.ok(Number(later.lastId()) > Number(id), 'what is none of its business counts as seen')
  later.close()
  quiet.close()

  await rename('missed')
  await rename('missed, too', other)
  await db.delete(sessions).where(eq(sessions.id, third))
  for (const reopen of [() => again(id), () => open(`?last_event_id=${id}`)]) {
    const stream = await reopen()
    const told = [await stream.next(), await stream.next(), await stream.next()]
    t.same(
      new Map(told.map(({ data }) => [data?.session_id, data?.session?.name ?? data?.deleted])),
      new Map<unknown, unknown>([
        [sessionId, 'missed'],
        [other, 'missed, too'],
        [third, true],
      ]),
    )
    t.ok(told.every((event) => Number(event.id) > Number(id)))
    t.same(stream.events, [])
    await rename('missed, then live')
    t.match((await stream.next()).data, { session: { name: 'missed, then live' } })
    await rename('missed')
    stream.close()
  }

  // No progress has a number, so that of everything unfinished is told again.
  const video = await newVideo(service, other)
  const progress = await open()
  await until('its first id', progress.lastId)
  const last = progress.lastId()
  progress.close()
  await db.update(videos).set({ received: 77 }).where(video)
  t.match((await (await again(last)).next()).data, { session_id: other, video: { received: 77 } })

  const forgotten = sql`select max(id) as last from session_changes`
  await db.execute(sql`update installation set changes_forgotten = last from (${forgotten}) of_all`)
  await db.execute(sql`delete from session_changes`)
  const future = id.replace(/^\d+/, '9'.repeat(16))
  for (const unknown of [id, future, '1', `${last}9`, '12345678901234567890', 'x', '-1', '.', '1.']) {
    t.match(await (await again(unknown)).next(), { name: 'reset' }, unknown)
  }
  const known = await again(last)
  t.not((await known.next()).name, 'reset', 'the newest change is always known')
})

t.test('whoever comes back again and again while much is changed misses nothing', async (t) => {
  const { db, caseId, open } = await place(t)
  const rows = await db
    .insert(sessions)
    .values(Array.from({ length: 20 }, () => ({ caseId, name: '0' })))
    .returning({ id: sessions.id })
  const first = await open()
  await until('its first id', first.lastId)
  first.close()
  let isOver = false
  const write = async (mine: { id: number }[]) => {
    for (let n = 1; n <= 15; n++) {
      for (const { id } of mine) {
        // Transactions of different lengths, so that some end in another order than they began.
        await db.transaction(async (tx) => {
          await tx
            .update(sessions)
            .set({ name: `${n}` })
            .where(eq(sessions.id, id))
          if (id % 3 === 0) await tx.execute(sql`select pg_sleep(0.005)`)
        })
      }
    }
  }
  const writing = Promise.all([write(rows.slice(0, 10)), write(rows.slice(10))]).then(() => {
    isOver = true
  })
  const shown = new Map<number, string | undefined>()
  let last = first.lastId()
  for (let isLast = false; !isLast; ) {
    isLast = isOver
    const stream = await open('', { 'last-event-id': last })
    const isAll = () => {
      for (const { id, data } of stream.events.splice(0)) {
        t.ok(Number(id) > Number(last))
        last = id
        if (data) shown.set(data.session_id, data.session?.name)
      }
      return [...shown.values()].every((name) => name === '15') && shown.size === rows.length
    }
    if (isLast) await until('the last state of all', isAll)
    else await new Promise((resolve) => setTimeout(resolve, Math.random() * 60))
    isAll()
    stream.close()
  }
  await writing
  t.equal(shown.size, rows.length)
})

t.test('of a session there are at most two events a second, and the last one is told', async (t) => {
  const { open, rename } = await place(t)
  const stream = await open()
  await until('its first id', stream.lastId)
  const begin = Date.now()
  for (let n = 1; n <= 60; n++) await rename(`${n}`)
  const names: (string | undefined)[] = []
  while (names.at(-1) !== '60') names.push((await stream.next()).data?.session?.name)
  t.ok(names.length <= 2 + (Date.now() - begin) / 500, names.join())
})

t.test('when a hundred sessions are exceeded, the client is to read them anew', async (t) => {
  const { db, caseId, open } = await place(t)
  const stream = await open()
  await until('its first id', stream.lastId)
  const id = stream.lastId()
  await db.insert(sessions).values(Array.from({ length: 101 }, (_, n) => ({ caseId, name: `${n}` })))
  t.equal((await stream.next()).name, 'reset')
  t.equal((await (await open('', { 'last-event-id': id })).next()).name, 'reset')
  t.same((await open('', { 'last-event-id': stream.lastId() })).events, [])
})

t.test('nobody is told of what is another therapist’s', async (t) => {
  const service = await place(t)
  const { db, caseId, sessionId, open, rename } = service
  const foreignCase = await service.newCase(8)
  const foreign = await service.newSession(8, foreignCase)
  const second = await service.newCase(therapist)
  const elsewhere = await service.newSession(therapist, second)
  const [mine, narrow, theirs] = [await open(), await open(`?case_id=${caseId}`), await open('', {}, 8)]
  const read = async (response: Response) => [response.status, await response.json()]
  const ask = (query: string) => fetch(service.host.url + path + query, { headers: service.host.as(therapist) })
  t.match(await read(await ask(`?case_id=${foreignCase}`)), [400, { error_code: 2 }])
  t.match(await read(await ask('?case_id=2147483647')), [400, { error_code: 2 }])
  for (const bad of ['2147483648', 'x', '', '1&case_id=2', '1e3']) {
    t.match(await read(await ask(`?case_id=${bad}`)), [422, { error_code: 8 }], bad)
  }

  await rename('foreign', foreign)
  await rename('elsewhere', elsewhere)
  await rename('mine')
  const seen = [(await mine.next()).data?.session_id, (await mine.next()).data?.session_id].sort()
  t.same(seen, [sessionId, elsewhere].sort())
  t.match((await narrow.next()).data, { session_id: sessionId })
  t.match((await theirs.next()).data, { session_id: foreign })
  t.same([mine.events, narrow.events, theirs.events], [[], [], []])
  const since = `&last_event_id=${theirs.lastId()}`
  t.same((await open(`?${since}`)).events, [], 'an id of another stream opens nothing more')

  // The case is given to another therapist.
  await db.execute(sql`update cases set user_id = 8 where id = ${caseId}`)
  t.match((await mine.nextWith(({ deleted }) => deleted)).data, { session_id: sessionId, session: null })
  t.match((await narrow.nextWith(({ deleted }) => deleted)).data, { session_id: sessionId, session: null })
  t.equal(await narrow.ended, true, 'its stream ends')
  t.match((await theirs.next()).data, { session_id: sessionId, session: { name: 'mine' } })
  await rename('theirs')
  await theirs.nextWith(({ session }) => session?.name === 'theirs')
  t.same(mine.events, [])
})

t.test('a deleted case ends its streams', async (t) => {
  const { call, caseId, sessionId, open } = await place(t)
  const [all, narrow] = [await open(), await open(`?case_id=${caseId}`)]
  t.same(await call(therapist, 'DELETE', `/${caseId}`), [200, true])
  t.match((await narrow.next()).data, { session_id: sessionId, deleted: true })
  t.equal(await narrow.ended, true)
  t.match((await all.next()).data, { session_id: sessionId, deleted: true })
})
