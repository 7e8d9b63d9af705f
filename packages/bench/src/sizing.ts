/**
 * `npm run sizing`: from what one unit of work costs to machines. With `--measure` it measures those costs anew, with `--day` it
 * simulates the queue of encodes over a day, and with `--write` it renews the README of this package.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildPrograms } from '@playtherapy/programs'
import { answerHelp } from '@playtherapy/testing'
import { circumstances } from './circumstances.ts'
import { openPlace } from './place.ts'
import { dayTable, simulateDays, uploadsOfDay } from './sizing/day.ts'
import { type Habits, habits } from './sizing/known.ts'
import { measureUnits } from './sizing/measure-units.ts'
import { memoryOfCompose, readmeWith, standardDay, standardTable } from './sizing/readme.ts'
import { sizeOf } from './sizing/size.ts'
import { sizingTable } from './sizing/table.ts'

const usual = (key: keyof Habits) => `${habits[key].value} ${habits[key].unit}`
answerHelp(`npm run sizing -- [--clinics 1,10,100] [--HABIT NUMBER] [--day] [--workers 4,8] [--measure] [--write]

Prints the processes, cores, memory, connections and storage that clinics need.

  --clinics N,N   how many clinics, one column each; 1, 10, 100 and 1,000 by default
  --therapists N  ${usual('therapists')}
  --sessions N    ${usual('sessions')}
  --minutes N     ${usual('minutes')}
  --megabits N    ${usual('megabits')}
  --playable N    ${usual('playable')}
  --views N       ${usual('views')}
  --lists N       ${usual('lists')}
  --days N        ${usual('days')}
  --busiest N     ${usual('busiest')}
  --uplink N      ${usual('uplink')}
  --full N        ${usual('full')}
  --day           simulates the encodes of a day of the first number of clinics
  --workers N,N   on so many workers
  --measure       measures what one unit of work costs on this machine, in some minutes, before all that
  --write         writes what it prints for the default numbers into packages/bench/README.md`)

const text = { type: 'string' } as const
const isTrue = { type: 'boolean', default: false } as const
const { values } = parseArgs({
  options: {
    ...{ clinics: text, workers: text, day: isTrue, measure: isTrue, write: isTrue },
    ...{ therapists: text, sessions: text, minutes: text, megabits: text, playable: text, views: text, lists: text },
    ...{ days: text, busiest: text, uplink: text, full: text },
  },
})

/** Throws when it is no positive number. */
function numberOf(name: string, given: string): number {
  const number = Number(given)
  if (!(number > 0 && number < 1e6)) throw new Error(`--${name} needs a number above 0`)
  return number
}
const numbersOf = (name: string, given: string) => given.split(',').map((each) => numberOf(name, each))
const chosenOf = (name: keyof Habits) =>
  values[name] === undefined ? habits[name].value : numberOf(name, values[name])
const chosen: Habits = {
  therapists: chosenOf('therapists'),
  sessions: chosenOf('sessions'),
  minutes: chosenOf('minutes'),
  megabits: chosenOf('megabits'),
  playable: chosenOf('playable'),
  views: chosenOf('views'),
  lists: chosenOf('lists'),
  days: chosenOf('days'),
  busiest: chosenOf('busiest'),
  uplink: chosenOf('uplink'),
  full: chosenOf('full'),
}

if (values.measure) {
  await buildPrograms()
  const place = await openPlace()
  const measured = { ...(await circumstances()), costs: await measureUnits(place) }
  await place.stop()
  const file = fileURLToPath(new URL('../results/unit-costs.json', import.meta.url))
  await writeFile(file, `${JSON.stringify(measured, null, 2)}\n`)
  console.log(measured.costs, '\nIs written; run again without --measure to compute with it.')
  process.exit(0)
}

const clinics = numbersOf('clinics', values.clinics ?? '1,10,100,1000')
const sizes = clinics.map((count) => sizeOf(count, chosen))
console.log(sizingTable(sizes, await memoryOfCompose()))

if (values.day || values.write) {
  const place = await openPlace()
  const databaseUrl = await place.database('day')
  const [count = 1] = values.write ? [standardDay.clinics] : clinics
  const uploads = uploadsOfDay(count, chosen)
  const workers = values.workers ? numbersOf('workers', values.workers) : standardDay.workers
  const days = await simulateDays(databaseUrl, uploads, workers)
  await place.stop()
  console.log(`\n${uploads.length} recordings of ${count} clinics\n\n${dayTable(days)}`)
  if (values.write) {
    const readme = fileURLToPath(new URL('../README.md', import.meta.url))
    await writeFile(readme, readmeWith(await readFile(readme, 'utf8'), await standardTable(), dayTable(days)))
  }
}
process.exit(0)
