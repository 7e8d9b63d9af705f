import { deepStrictEqual } from 'node:assert/strict'
import postgres from 'postgres'
import { fetchText, type Load, press, type Request } from '../load.ts'
import { alternate, ratio } from '../measure.ts'
import type { Place, Running } from '../place.ts'
import type { Figure, Row } from '../row.ts'

const casesEach = 100
const sessionsEach = 20
const [many, few] = [1_000, 100]
const load = { clients: 16, seconds: 1.5 }

/** Inserts therapists with 100 cases of 20 sessions each; their ids alternate, as if all therapists worked at once. */
async function fill(url: string, therapists: number): Promise<void> {
  // A pool without the limits of the services: these statements take a minute.
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql.begin(async (tx) => {
    // The foreign keys are valid; checking them for a million rows would take minutes.
    await tx`set local session_replication_role = replica`
    await tx`
      insert into cases (user_id, given_name, family_name, description)
      select 1 + n % ${therapists}::int, (array['지우', '민수', '서연', '하준', 'Emma', 'Noah'])[1 + n * 7 % 6],
        (array['김', '이', '박', '최', 'Kim'])[1 + n * 11 % 5],
        jsonb_build_object('age', 4 + n % 9, 'gender', (array['F', 'M', 'N'])[1 + n % 3],
          'note', case when n % 97 = 0 then '수줍음이 많아요' else 'plays with blocks and dolls ' || n end)
      from generate_series(0, ${therapists * casesEach - 1}::int) as n`
    await tx`
      insert into sessions (case_id, name)
      select c.id, s || '회기' from generate_series(1, ${sessionsEach}::int) as s, cases as c`
  })
  await sql`vacuum analyze cases`
  await sql`vacuum analyze sessions`
  await sql.end()
}

const requests = {
  'case list': '/contents/api/case?skip=0&limit=10&keyword=',
  'keyword search': '/contents/api/case?skip=0&limit=1&keyword=%EC%88%98%EC%A4%8D',
  'total-num': '/contents/api/case/total-num?keyword=%EC%88%98%EC%A4%8D',
}

/** Returns a function that returns the same request for one therapist after the other. */
function rounds(place: Place, { url }: Running, path: string, therapists: number): () => Request {
  const headers = Array.from({ length: therapists }, (_, n) => place.as(n + 1))
  let turn = 0
  return () => ({ url: url + path, headers: headers[turn++ % therapists] ?? {} })
}

/** Throws unless both return the same, apart from the order of keys: otherwise they cannot be compared. */
async function assertSame(ours: Request, theirs: Request): Promise<void> {
  const [a, b] = await Promise.all([fetchText(ours), fetchText(theirs)])
  deepStrictEqual(JSON.parse(a), JSON.parse(b), 'the responses differ')
}

/** Lists and searches of 100,000 cases, against a bare Fastify, and with ten times the therapists. */
export const cases: Row = {
  name: 'cases',
  async measure(place) {
    const [large, small] = [await place.database('cases'), await place.database('few_cases')]
    await Promise.all([fill(large, many), fill(small, few)])
    const service = async (url: string) =>
      place.start({
        program: 'contents',
        env: await place.settings(url),
        ready: '/health/ready',
      })
    const [ours, fewer] = await Promise.all([service(large), service(small)])
    const env = { JWT_SECRET: place.jwtSecret }
    const bare = await place.start({
      program: { peer: 'bare-cases.ts' },
      args: [large],
      env,
      ready: '/ready',
    })
    const figures: Figure[] = []
    for (const [what, path] of Object.entries(requests)) {
      const [next, theirs] = [rounds(place, ours, path, many), rounds(place, bare, path, many)]
      for (let n = 0; n < 20; n++) await assertSame(next(), theirs())
      const small = rounds(place, fewer, path, few)
      const loads = await alternate({
        ours: () => press(next, load),
        bare: () => press(theirs, load),
        fewer: () => press(small, load),
      })
      const against = (name: string, target: Figure['target'], other: Load[], value: (load: Load) => number) =>
        ratio({ name: `${what}, 100,000 cases: ${name}`, target }, [loads.ours, other], value)
      figures.push(
        against('requests a second against bare Fastify', { least: 0.85 }, loads.bare, ({ perSecond }) => perSecond),
        against('p99 against bare Fastify', { most: 1.5 }, loads.bare, ({ p99Ms }) => p99Ms),
        against('time with ten times the therapists', { most: 1.2 }, loads.fewer, ({ meanMs }) => meanMs),
      )
    }
    await Promise.all([ours.stop(), fewer.stop(), bare.stop()])
    return figures
  },
}
