import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { parse } from 'yaml'
import { type Habits, habits } from './known.ts'
import { sizeOf } from './size.ts'
import { type Memory, sizingTable } from './table.ts'

const Limit = Type.Object({ mem_limit: Type.String({ pattern: '^[0-9]+[mg]$' }) })
const Compose = Type.Object({
  services: Type.Object({ gateway: Limit, contents: Limit, media: Limit, script: Limit, worker: Limit }),
})

/** The memory of each process, in MiB, as `docker-compose.yml` limits it. */
export async function memoryOfCompose(): Promise<Memory> {
  const file = fileURLToPath(new URL('../../../../docker-compose.yml', import.meta.url))
  const { services } = Value.Parse(Compose, parse(await readFile(file, 'utf8'), { merge: true }))
  const mebibytes = ({ mem_limit }: { mem_limit: string }) =>
    Number.parseInt(mem_limit, 10) * (mem_limit.endsWith('g') ? 1024 : 1)
  const { gateway, contents, media, script, worker } = services
  return {
    gateway: mebibytes(gateway),
    contents: mebibytes(contents),
    media: mebibytes(media),
    script: mebibytes(script),
    worker: mebibytes(worker),
  }
}

const usual: Habits = {
  therapists: habits.therapists.value,
  sessions: habits.sessions.value,
  minutes: habits.minutes.value,
  megabits: habits.megabits.value,
  playable: habits.playable.value,
  views: habits.views.value,
  lists: habits.lists.value,
  days: habits.days.value,
  busiest: habits.busiest.value,
  uplink: habits.uplink.value,
  full: habits.full.value,
}

/** The table of the README, of 1 to 1,000 clinics with the usual habits. */
export const standardTable = async (): Promise<string> =>
  sizingTable(
    [1, 10, 100, 1_000].map((clinics) => sizeOf(clinics, usual)),
    await memoryOfCompose(),
  )

/** The day of the README. */
export const standardDay = { clinics: 10, workers: [4, 6, 8, 12, 16, 24] }

/** Returns the README with these tables in the places that are marked for them. */
export const readmeWith = (readme: string, sizes: string, day: string): string =>
  readme
    .replace(/(<!-- sizing -->\n)[\s\S]*?(<!-- \/sizing -->)/, (_, begin, end) => `${begin}\n${sizes}\n\n${end}`)
    .replace(/(<!-- day -->\n)[\s\S]*?(<!-- \/day -->)/, (_, begin, end) => `${begin}\n${day}\n\n${end}`)
