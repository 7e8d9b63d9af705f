import { ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sessions } from '@playtherapy/schema'
import { flakyLink, until } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { openEvents } from './event-client.ts'
import { contents } from './support.ts'

const path = '/contents/api/events'
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

t.test('a stream ends with its token', async (t) => {
  const { host } = await contents(t)
  const headers = host.withClaims({ user_id: 7, exp: inSeconds(2) })
  const stream = await openEvents(t, host.url + path, headers)
  t.equal(stream.status, 200)
  t.equal(await stream.ended, true)

  const ticket = await fetch(`${host.url}${path}/ticket`, {
    method: 'POST',
    headers: host.withClaims({ user_id: 7, exp: inSeconds(2) }),
  })
  const { url } = Object(await ticket.json())
  const byTicket = await openEvents(t, host.url + url)
  t.equal(byTicket.status, 200)
  t.equal(await byTicket.ended, true, 'also one that was opened by a ticket')
})

t.test('a token that is valid for longer than a timer can wait keeps its stream open', async (t) => {
  const { host } = await contents(t)
  const year = host.withClaims({ user_id: 7, exp: inSeconds(365 * 86_400) })
  const stream = await openEvents(t, host.url + path, year)
  await until('its first id', stream.lastId)
  t.equal(await Promise.race([stream.ended, new Promise((resolve) => setTimeout(resolve, 100, 'open'))]), 'open')
})

t.test('a ticket opens streams of its therapist without a header, and nothing else', async (t) => {
  const { host, newCase, newSession } = await contents(t)
  const answer = await fetch(`${host.url}${path}/ticket`, { method: 'POST', headers: host.as(7) })
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const { url, expires_at } = Object(await answer.json())
  const seconds = (Date.parse(expires_at) - Date.now()) / 1000
  t.ok(seconds > 50 && seconds <= 60, `${seconds}`)
  const [mine, foreign] = [await newCase(7), await newCase(8)]
  const stream = await openEvents(t, host.url + url, {
    authorization: 'Bearer undefined',
    origin: 'http://localhost:3000',
  })
  t.match(stream.headers, { 'access-control-allow-origin': 'http://localhost:3000' })
  await newSession(8, foreign)
  await newSession(7, mine)
  t.match((await stream.next()).data, { case_id: mine })
  t.same(stream.events, [])

  const refused = { status: 404, body: { error_code: 404 } }
  const get = async (path: string) => {
    const response = await fetch(host.url + path)
    return { status: response.status, body: await response.json() }
  }
  const token = String(url).split('/').at(-1) ?? ''
  const session = await newSession(7, mine)
  const link = new URL(host.linkTo({ userId: 7, caseId: mine, sessionId: session }, 'hls', 'x')).pathname
    .split('/')
    .at(-2)
  for (const other of [token.slice(0, -1), `${token}x`, link, token.replace('.', ''), 'x'.repeat(300)]) {
    t.match(await get(`${path}/${other}`), refused, `${other}`)
  }
  t.match(await get(`${url}?case_id=${foreign}`), { status: 400, body: { error_code: 2 } })
  t.match(await get(`/contents/api/playback/${token}/video.mp4`), { status: 404 })
})

/** Waits until a process has so many streams. */
const hasStreams = (url: string, count: number) =>
  until(`${count} streams`, async () =>
    new RegExp(`^event_streams ${count}$`, 'm').test(await (await fetch(`${url}/metrics`)).text()),
  )

t.test('an eleventh stream of a therapist replaces the oldest', async (t) => {
  const { host, newCase, newSession } = await contents(t)
  const open = (userId = 7) => openEvents(t, host.url + path, host.as(userId))
  const other = await open(8)
  const streams = []
  for (let n = 0; n < 10; n++) streams.push(await open())
  await hasStreams(host.url, 11)
  const eleventh = await open()
  t.equal(eleventh.status, 200)
  t.equal(await streams[0]?.ended, true)
  t.match(streams[0]?.text(), /\nretry: 60000\n\n$/, 'streams do not replace each other all the time')
  await hasStreams(host.url, 11)
  const session = await newSession(7, await newCase(7))
  for (const stream of [...streams.slice(1), eleventh]) t.equal((await stream.next()).data?.session_id, session)
  t.equal(other.hasEnded(), false)
  eleventh.close()
  await hasStreams(host.url, 10)
})

t.test('a tablet that changes its network again and again is not locked out', async (t) => {
  const { host, db, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  const ids = await Promise.all(Array.from({ length: 40 }, () => newSession(7, caseId)))
  const link = await flakyLink(t, host.url)
  const vanished = []
  for (let n = 0; n < 10; n++) vanished.push(await openEvents(t, new URL(path, link.url).href, host.as(7)))
  for (const { lastId } of vanished) await until('its first id', lastId)
  link.freeze()
  // Some of the streams have more to send than the operating system takes, others have nothing to send.
  for (let n = 0; n < 4; n++) {
    await db.update(sessions).set({ name: `${n} ${'n'.repeat(200_000)}` })
    await new Promise((resolve) => setTimeout(resolve, 600))
  }
  for (let n = 0; n < 15; n++) {
    const stream = await openEvents(t, host.url + path, host.as(7))
    t.equal(stream.status, 200)
    await until('its first id', stream.lastId)
  }
  await hasStreams(host.url, 10)
  const last = await openEvents(t, host.url + path, host.as(7))
  await db.update(sessions).set({ name: 'last' })
  t.ok(ids.includes((await last.next()).data?.session_id ?? 0))
})

t.test('a token that has ended gives no ticket that opens streams', async (t) => {
  const { host } = await contents(t)
  const ticket = await fetch(`${host.url}${path}/ticket`, {
    method: 'POST',
    headers: host.withClaims({ user_id: 7, exp: inSeconds(1) }),
  })
  const { url, expires_at } = Object(await ticket.json())
  t.ok(Date.parse(expires_at) <= Date.now() + 1_000)
  await until('its end', async () => (await openEvents(t, host.url + url)).status === 404)
})

t.test('streams take no place of requests that wait, and end when the host closes', async (t) => {
  const { host } = await contents(t)
  const stream = await openEvents(t, host.url + path, host.as(7))
  const metrics = await (await fetch(`${host.url}/metrics`)).text()
  t.match(metrics, /^requests_waiting 0$/m)
  const begin = Date.now()
  await host.close()
  t.equal(await stream.ended, true)
  t.ok(Date.now() - begin < 4_000, `${Date.now() - begin} ms`)
})

t.test('a client that reads nothing is dropped, while others are told everything', async (t) => {
  const { host, db, newCase } = await contents(t, { heartbeatMs: 1_500 })
  const caseId = await newCase(7)
  const open = () => openEvents(t, host.url + path, host.as(7))
  const [stopped, reader] = [await open(), await open()]
  stopped.pause()
  await until('its first id', reader.lastId)
  // More than the buffers of the operating system hold.
  const names = Array.from({ length: 64 }, (_, n) => `${n} ${'n'.repeat(200_000)}`)
  await db.insert(sessions).values(names.map((name) => ({ caseId, name })))
  const told = new Set<string | undefined>()
  while (told.size < 64) told.add((await reader.next()).data?.session?.name.split(' ')[0])
  await hasStreams(host.url, 1)
  stopped.resume()
  t.equal(await stopped.ended, false)
  await db
    .update(sessions)
    .set({ name: 'later' })
    .where(eq(sessions.name, names[0] ?? ''))
  await reader.nextWith(({ session }) => session?.name === 'later')
  t.equal(reader.hasEnded(), false)
})

t.test('a client that reads slowly is told the last state', async (t) => {
  const { host, db, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  const stream = await openEvents(t, host.url + path, host.as(7))
  await until('its first id', stream.lastId)
  const ids = await Promise.all(Array.from({ length: 40 }, () => newSession(7, caseId)))
  stream.pause()
  for (let n = 0; n < 3; n++) {
    await db.update(sessions).set({ name: `${n} ${'n'.repeat(200_000)}` })
    await new Promise((resolve) => setTimeout(resolve, 600))
  }
  await db.update(sessions).set({ name: 'last' })
  stream.resume()
  const last = new Set<number>()
  while (last.size < ids.length)
    last.add((await stream.nextWith(({ session }) => session?.name === 'last')).data?.session_id ?? 0)
  t.ok(stream.text().length < 40 * 3 * 200_000, 'what was overtaken was left out')
})

t.test('a comment comes from time to time', async (t) => {
  const { host } = await contents(t, { heartbeatMs: 50 })
  const stream = await openEvents(t, host.url + path, host.as(7))
  await until(
    'two of them',
    () =>
      stream
        .text()
        .split('\n')
        .filter((line) => line.startsWith(':')).length >= 2,
  )
  t.same(stream.events, [])
})

t.test('in each turn of the event loop the streams of one therapist are written to', async (t) => {
  const { host, db, newCase, newSession } = await contents(t)
  const streams = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      await newSession(n + 1, await newCase(n + 1))
      const stream = await openEvents(t, host.url + path, host.as(n + 1))
      await until('its first id', stream.lastId)
      return stream
    }),
  )
  let [now, isOver] = [0, false]
  const turns: number[] = []
  const write = ServerResponse.prototype.write
  t.intercept(ServerResponse.prototype, 'write', {
    value(this: ServerResponse, ...args: Parameters<typeof write>) {
      if (`${args[0]}`.includes('event: session')) turns.push(now)
      return write.apply(this, args)
    },
  })
  const count = async () => {
    for (; !isOver; now++) await nextTurn()
  }
  const counted = count()
  await db.update(sessions).set({ name: 'of all' })
  await Promise.all(streams.map((stream) => stream.next()))
  isOver = true
  await counted
  t.equal(new Set(turns).size, 10, `they were written to in the turns ${turns}`)
})

t.test('HEAD opens no stream', async (t) => {
  const { host } = await contents(t)
  t.equal((await fetch(host.url + path, { method: 'HEAD', headers: host.as(7) })).status, 405)
})

t.test('an id of another database, such as the one before a restore, is not known', async (t) => {
  const [lost, restored] = [await contents(t), await contents(t)]
  const open = ({ host }: typeof lost, headers = {}) => openEvents(t, host.url + path, { ...host.as(7), ...headers })
  const change = async ({ newCase, newSession }: typeof lost) => newSession(7, await newCase(7))
  const first = await open(lost)
  await change(lost)
  const { id } = await first.next()
  for (const each of [lost, restored, restored]) await change(each)
  t.equal((await (await open(lost, { 'last-event-id': id })).next()).name, 'session')
  for (const unknown of [id, id.replace(/\..*/, '')]) {
    t.equal((await (await open(restored, { 'last-event-id': unknown })).next()).name, 'reset', unknown)
  }
})

t.test('streams end when an older backup of the database is restored, and their clients read anew', async (t) => {
  const { host, db, newCase, newSession } = await contents(t)
  const session = await newSession(7, await newCase(7))
  const open = (headers = {}) => openEvents(t, host.url + path, { ...host.as(7), ...headers })
  const stream = await open()
  await db.update(sessions).set({ name: 'later than the backup' }).where(eq(sessions.id, session))
  const { id } = await stream.next()
  await db.execute(sql`truncate session_changes restart identity`)
  await until('its end', stream.hasEnded)
  t.equal(await stream.ended, true)
  const back = await open({ 'last-event-id': id })
  t.equal((await back.next()).name, 'reset')
  await db.update(sessions).set({ name: 'as often as before' }).where(eq(sessions.id, session))
  await back.next()
  const passed = sql`alter sequence session_changes_id_seq restart with 1000`
  await db.execute(passed)
  await db.update(sessions).set({ name: 'more often' }).where(eq(sessions.id, session))
  t.ok(Number((await back.next()).id) > Number(id), 'the numbers have passed it again')
  t.equal((await (await open({ 'last-event-id': id })).next()).name, 'reset', 'but name other changes')
})
