import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { nodeOptions, programPath } from '@playtherapy/programs'
import postgres from 'postgres'
import { press } from '../load.ts'
import { alternate, figure } from '../measure.ts'
import type { Place } from '../place.ts'
import type { Figure, Row } from '../row.ts'

const million = 1_000_000
const oneClient = { clients: 1, seconds: 2 }

/** Measures a list of ten cases for one client against a bare Fastify, which tells nobody of it. */
async function measureRead(place: Place): Promise<Figure> {
  const url = await place.database('audited_cases')
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`insert into cases (user_id, given_name) select 1, '민수' from generate_series(1, 100)`
  await sql.end()
  const [ours, bare] = await Promise.all([
    place.start({ program: 'contents', env: await place.settings(url), ready: '/health/ready' }),
    place.start({
      program: { peer: 'bare-cases.ts' },
      args: [url],
      env: { JWT_SECRET: place.jwtSecret },
      ready: '/ready',
    }),
  ])
  const list = (base: string) => () => ({
    url: `${base}/contents/api/case?skip=0&limit=10&keyword=`,
    headers: place.as(1),
  })
  const loads = await alternate({
    ours: () => press(list(ours.url), oneClient),
    bare: () => press(list(bare.url), oneClient),
  })
  await Promise.all([ours.stop(), bare.stop()])
  const more = loads.ours.map(({ p50Ms }, round) => p50Ms - (loads.bare[round]?.p50Ms ?? Number.NaN))
  return figure(
    { name: 'audited list of cases, one client: p50 above bare Fastify', target: { most: 2 }, unit: 'ms' },
    more,
  )
}

/** Measures how fast a worker seals a million events that wait, and how long their verification takes. */
async function measureTrail(place: Place): Promise<Figure[]> {
  const url = await place.database('audit_trail')
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`insert into audit_events (actor, user_id, action, kind, case_id, session_id, request_id, address)
    select 'therapist', n % 1000, 'read', 'session', n % 10000, n % 50000, gen_random_uuid(), '192.0.2.7'
    from generate_series(1, ${million}) as n`
  const env = { ...(await place.settings(url)), QUEUE_URL: url }
  const worker = await place.start({ program: 'worker', env, ready: '/health/live' })
  const sealed = async () =>
    Number((await sql`select coalesce(sum(cardinality(ids)), 0) as events from audit_seals`)[0]?.events)
  const [began, before] = [performance.now(), await sealed()]
  while ((await sealed()) < million) await sleep(200)
  const perSecond = (million - before) / ((performance.now() - began) / 1000)
  await worker.stop()
  await sql.end()
  const verifying = performance.now()
  await promisify(execFile)(process.execPath, [...nodeOptions, programPath('audit'), 'verify'], {
    env: { ...process.env, ...env },
  })
  const seconds = (performance.now() - verifying) / 1000
  return [
    figure({ name: 'audit trail: events sealed', target: { least: 2_000 }, unit: '/s' }, [perSecond]),
    figure({ name: 'audit trail: verification of a million events', target: { most: 60 }, unit: 's' }, [seconds]),
  ]
}

/** What the audit trail costs. */
export const audit: Row = {
  name: 'audit',
  measure: async (place) => [await measureRead(place), ...(await measureTrail(place))],
}
