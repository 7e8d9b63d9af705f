import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Attack, hold, insist, range, readNoMore, statuses, tally } from '../attack.ts'
import { type Answer, openRequest, parse, type RawRequest, request, type Therapist } from '../client.ts'
import type { Stage } from '../place.ts'

const Ticket = Type.Object({ url: Type.String() })

/** Inserts sessions of these therapists, `count` each. */
async function addSessions({ sql }: Stage, therapists: Therapist[], count: number): Promise<void> {
  const users = therapists.map(({ userId }) => userId)
  await sql`with made as (
      insert into cases (user_id, given_name) select unnest(${users}::int[]), '지우' returning id)
    insert into sessions (case_id, name) select made.id, n from made, generate_series(1, ${count}) n`
}

/** Changes all sessions of these therapists every so many milliseconds, until the returned function is called. */
function changeSessions({ sql }: Stage, therapists: Therapist[], everyMs: number): () => Promise<void> {
  const users = therapists.map(({ userId }) => userId)
  let isOver = false
  const work = async () => {
    while (!isOver) {
      await sql`update sessions set name = ${'이름'.repeat(40)} || clock_timestamp()
        where case_id in (select id from cases where user_id = any(${users}::int[]))`
      await sleep(everyMs)
    }
  }
  const working = work()
  return async () => {
    isOver = true
    await working
  }
}

const open = (therapist: Therapist) => therapist.open('GET', '/events')

/** Waits until each stream has been answered, at most half a minute: the gateway gives the requests of one token a pace. */
async function answered(streams: RawRequest[]): Promise<string> {
  for (let left = 300; left > 0 && streams.some((one) => one.status() === 0); left--) await sleep(100)
  return tally(streams.map((one) => one.status()))
}

/** Keeps streams that nobody reads open while the sessions of their therapists change every so many milliseconds. */
async function holdUnread(
  stage: Stage,
  hostile: Therapist[],
  { everyMs, seconds }: { everyMs: number; seconds: number },
) {
  const streams: RawRequest[] = []
  for (const each of hostile) {
    streams.push(...range(10).map(() => readNoMore(open(each))))
    await sleep(10)
  }
  const begun = await answered(streams)
  const stop = changeSessions(stage, hostile, everyMs)
  const seen = await hold(streams, seconds)
  await stop()
  return `${begun} begun; ${seen}`
}

const readers: Attack = {
  name: 'event-readers',
  what: '2,000 event streams of 200 therapists, who read nothing of what changes every second',
  async prepare(stage) {
    const hostile = range(200).map(() => stage.therapist())
    await addSessions(stage, hostile, 1)
    return () => holdUnread(stage, hostile, { everyMs: 1_000, seconds: stage.seconds })
  },
}

const unread: Attack = {
  name: 'event-unread',
  what: 'ten streams of one therapist, who reads nothing while a hundred sessions change twice a second',
  async prepare(stage) {
    const hostile = stage.therapist()
    await addSessions(stage, [hostile], 100)
    return () => holdUnread(stage, [hostile], { everyMs: 500, seconds: 60 })
  },
}

const churn: Attack = {
  name: 'event-churn',
  what: '1,000 streams that are closed at once; after that each place is free again',
  async prepare(stage) {
    const hostile = stage.therapist()
    return async () => {
      for (const turn of range(100)) {
        const streams = range(10).map(() => open(hostile))
        await sleep(turn)
        for (const { socket } of streams) socket.destroy()
      }
      await sleep(2_000)
      const streams = range(10).map(() => open(hostile))
      const seen = await answered(streams)
      for (const { socket } of streams) socket.destroy()
      insist(seen === '200 × 10', seen)
      return seen
    }
  },
}

const tickets: Attack = {
  name: 'event-tickets',
  what: '100 streams by one ticket, 1,000 forged tickets, and 3,000 real ones',
  async prepare(stage) {
    const hostile = stage.therapist()
    const { url } = Value.Parse(Ticket, parse(await hostile.send('POST', '/events/ticket')))
    return async () => {
      const streams = range(100).map(() => openRequest('GET', stage.url + url, {}))
      const held = await hold(streams, 5, { mostHeld: 10 })
      const forge = (n: number) => `${stage.url}${url.slice(0, -(1 + (n % 40)))}${n.toString(36)}`
      const forged = await Promise.all(range(1_000).map((n) => request(forge(n))))
      const issued: Answer[] = []
      for (const _ of range(60)) {
        issued.push(...(await Promise.all(range(50).map(() => hostile.send('POST', '/events/ticket')))))
      }
      const seen = `streams ${held}; forged ${statuses(forged)}; issued ${statuses(issued)}`
      const isRefused = ({ status }: Answer) => status === 404 || status === 429
      insist(forged.every(isRefused) && issued.every((answer) => answer.status === 200 || isRefused(answer)), seen)
      return seen
    }
  },
}

/** Event streams that are many, unread or opened in vain. */
export const eventAttacks: Attack[] = [readers, unread, churn, tickets]
