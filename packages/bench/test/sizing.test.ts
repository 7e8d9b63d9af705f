/** Sizes are computed from what is known, each number names where it comes from, and the README shows the current table. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { testDatabase } from '@playtherapy/testing'
import t from 'tap'
import { costOf } from '../src/simulation/costs.ts'
import { cpuSecondsOf } from '../src/simulation/ways.ts'
import { dayTable, simulateDays, uploadsOfDay } from '../src/sizing/day.ts'
import { bounds, costs, type Habits, habits, type Known } from '../src/sizing/known.ts'
import { standardTable } from '../src/sizing/readme.ts'
import { sizeOf } from '../src/sizing/size.ts'

const read = (path: string) => readFile(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8')
const usual: Habits = {
  ...{ therapists: 4, sessions: 5, minutes: 50, megabits: 8, playable: 0.2, views: 1, lists: 1000, days: 250 },
  ...{ busiest: 0.15, uplink: 20, full: 0.6 },
}

t.test('every number is assumed, or is where it says', async (t) => {
  const all: Record<string, Known> = { ...costs, ...bounds, ...habits }
  for (const [name, { value, from }] of Object.entries(all)) {
    t.ok(value > 0, name)
    if (from === 'assumed') continue
    t.match((await read(from.file)).replaceAll(/\n *\*? */g, ' '), from.says, `${name} is in ${from.file}`)
  }
})

t.test('what grows with clinics grows in proportion, and what does not stays', async (t) => {
  const [one, ten] = [sizeOf(1, usual), sizeOf(10, usual)]
  for (const key of [
    'recordingsADay',
    'uploadedGiBADay',
    'encodeCpuHoursADay',
    'storedTiBAYear',
    'auditRowsAYear',
  ] as const) {
    t.ok(Math.abs(ten[key] / one[key] - 10) < 1e-9, key)
  }
  t.equal(one.recordingsADay, 20)
  t.equal(one.processes.media, 1)
  t.equal(ten.processes.media, 2, 'from ten clinics on one of each may go')
  const hours =
    20 *
    (0.2 * cpuSecondsOf({ therapist: 1, seconds: 3000, isPlayable: true }).whole +
      0.8 * cpuSecondsOf({ therapist: 1, seconds: 3000, isPlayable: false }).whole)
  t.ok(Math.abs(one.encodeCpuHoursADay - hours / 3600) < 1e-9)
})

t.test('a recording costs its plan, its chunks and its end, of which little is needed to play it', async (t) => {
  const { whole, toPlayable } = cpuSecondsOf({ therapist: 1, seconds: 3000, isPlayable: false })
  t.ok(whole > costOf('plan', 3000) + costOf('sound', 3000) + costOf('picture', 3000) + costOf('finish', 3000))
  const first = costOf('plan', 3000) + costOf('sound', 60) + costOf('picture', 4)
  t.ok(Math.abs(toPlayable - first) < 1e-9)
})

t.test('the README has the current table', async (t) => {
  const [, table] =
    /<!-- sizing -->\n\n([\s\S]*?)\n\n<!-- \/sizing -->/.exec(await read('packages/bench/README.md')) ?? []
  t.equal(table, await standardTable(), 'npm run sizing -- --write')
})

t.test('a day of appointments ends on enough workers, and waits on few', async (t) => {
  const uploads = uploadsOfDay(1, usual)
  t.equal(uploads.length, 20)
  const hours = uploads.map(({ second }) => second / 3600)
  t.ok(Math.min(...hours) > 10 + 50 / 60 && Math.max(...hours) < 21, 'after the sessions')
  const { url } = await testDatabase(t)
  const [few, many] = await simulateDays(url, uploads, [1, 8])
  if (!few || !many) throw new Error('unreachable')
  t.ok(many.playable.p95 < few.playable.p95 && many.finished.p95 < few.finished.p95)
  t.ok(few.lastHour > many.lastHour)
  t.match(dayTable([many]), /^\| 8 \| \d/m)
})
