import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { figure, quantile } from '../measure.ts'
import type { Place } from '../place.ts'
import type { Row } from '../row.ts'
import { memoryOf, watch } from '../usage.ts'

const streams = 1_000
/** The changes of a second are committed in so many transactions, evenly spread. */
const slices = 20
const [rounds, roundSeconds] = [5, 5]

/** Inserts a therapist for each stream, with a session whose recording is being received. */
async function seed(sql: postgres.Sql): Promise<void> {
  await sql`insert into cases (user_id, given_name) select n, '민수' from generate_series(1, ${streams}) n`
  await sql`insert into sessions (case_id, name) select id, 'first' from cases`
  await sql`insert into videos (session_id, state, path) select id, 'receiving', id from sessions`
}

/** Opens a stream, which calls `onReceived` with the bytes received of each event. Resolves when it has begun. */
const open = (url: string, headers: { authorization: string }, onReceived: (bytes: number) => void) =>
  new Promise<void>((resolve, reject) => {
    const request = get(`${url}/contents/api/events`, { headers, agent: false }, (response) => {
      response.once('data', () => resolve())
      response.setEncoding('utf8').on('data', (text: string) => {
        for (const [, bytes] of text.matchAll(/"received":(\d+)/g)) onReceived(Number(bytes))
      })
    })
    request.on('error', reject)
  })

async function openAll(place: Place, url: string, onReceived: (bytes: number) => void): Promise<void> {
  for (let from = 1; from <= streams; from += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, n) => open(url, place.as(from + n), onReceived)))
  }
}

/** Event streams of many therapists, each of whose uploads gets on once a second. */
export const events: Row = {
  name: 'events',
  async measure(place) {
    const databaseUrl = await place.database('events')
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
    await seed(sql)
    const env = await place.settings(databaseUrl)
    const contents = await place.start({ program: 'contents', env, ready: '/health/ready' })
    const idleBytes = await memoryOf(contents.pid, 'VmRSS')
    let delays: number[] = []
    // The number of bytes is the time at which they are committed.
    await openAll(place, contents.url, (committedAt) => delays.push(Date.now() - committedAt))
    const change = async (seconds: number) => {
      const begin = Date.now()
      for (let n = 0; n < seconds * slices; n++) {
        await sql`update videos set received = ${Date.now()} where session_id % ${slices} = ${n % slices}`
        await sleep(Math.max(0, begin + ((n + 1) * 1_000) / slices - Date.now()))
      }
    }
    await change(2)
    const [p99s, cores]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      delays = []
      const begin = Date.now()
      const used = await watch(contents.pid)
      await change(roundSeconds)
      cores.push(((await used()).cpuSeconds * 1_000) / (Date.now() - begin))
      p99s.push(quantile(delays, 0.99))
      if (delays.length < streams * (roundSeconds - 1)) throw new Error(`only ${delays.length} events came`)
    }
    const kibibytes = ((await memoryOf(contents.pid, 'VmRSS')) - idleBytes) / 1024 / streams
    await contents.stop()
    await sql.end()
    const name = '1,000 event streams, one change a second each'
    return [
      figure({ name: `${name}: commit to client, p99`, unit: 'ms', target: { most: 150 } }, p99s),
      figure({ name: `${name}: cores`, unit: '', target: { most: 1 } }, cores),
      figure({ name: `${name}: memory a stream`, unit: 'KiB', target: { most: 60 } }, [kibibytes]),
    ]
  },
}
