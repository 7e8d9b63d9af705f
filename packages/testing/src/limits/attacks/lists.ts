import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, hold, range, readNoMore, repeatFor, scriptOf, sessionWithScript, statuses } from '../attack.ts'
import type { Therapist } from '../client.ts'
import type { Stage } from '../place.ts'

/** Inserts cases with descriptions of 16 KiB by SQL, since so many would take minutes through the API. */
const seedLarge = (stage: Pick<Stage, 'sql'>, { userId }: Therapist, count: number) => stage.sql`
  insert into cases (user_id, given_name, description)
  select ${userId}, 'case ' || n, jsonb_build_object('note', repeat(md5(n::text), 505))
  from generate_series(1, ${count}::int) n`

/** Returns a description of about 16 KiB that contains only numbers. */
const numbers = () => Object.fromEntries(range(900).map((n) => [`k${n}`, Math.floor(Math.random() * 1e9)]))

async function thousandDescriptions(stage: Pick<Stage, 'therapist'>): Promise<Therapist> {
  const hostile = stage.therapist()
  for (const _ of range(100)) await Promise.all(range(10).map(() => hostile.newCase(numbers())))
  // Requests are limited per minute, and the attack has to begin without any in the last one.
  await sleep(60_000)
  return hostile
}

/** Lists of much data, and searches in it. */
export const listAttacks: Attack<Pick<Stage, 'therapist' | 'seconds' | 'sql'>>[] = [
  {
    name: 'searches',
    what: '16 searches at once over 1,000 descriptions full of numbers',
    async prepare(stage) {
      const hostile = await thousandDescriptions(stage)
      const search = (n: number) => hostile.send('GET', `/case?keyword=${n}zz`)
      return async () => statuses((await repeatFor(stage.seconds, () => Promise.all(range(16).map(search)))).flat())
    },
  },
  {
    name: 'counts',
    what: '16 counts of their pages at once, with 200 wildcard characters as keyword',
    async prepare(stage) {
      const hostile = await thousandDescriptions(stage)
      const keyword = encodeURIComponent('%_'.repeat(100))
      const count = () => hostile.send('GET', `/case/total-num?keyword=${keyword}`)
      return async () => statuses((await repeatFor(stage.seconds, () => Promise.all(range(16).map(count)))).flat())
    },
  },
  {
    name: 'list-all',
    what: '`GET /case` without limit over 10,000 descriptions of 16 KiB',
    async prepare(stage) {
      const hostile = stage.therapist()
      await seedLarge(stage, hostile, 10_000)
      return async () => {
        const answer = await hostile.send('GET', '/case')
        return `${statuses([answer])}, ${Math.round(answer.body.length / 1024 ** 2)} MiB`
      }
    },
  },
  {
    name: 'lists-all',
    what: 'the same eight times at once',
    async prepare(stage) {
      const hostile = stage.therapist()
      await seedLarge(stage, hostile, 10_000)
      return async () => statuses(await Promise.all(range(8).map(() => hostile.send('GET', '/case'))))
    },
  },
  {
    name: 'lists-unread',
    what: '30 lists of 2,000 descriptions that the client never reads',
    async prepare(stage) {
      const hostile = stage.therapist()
      await seedLarge(stage, hostile, 2_000)
      return () =>
        hold(
          range(30).map(() => readNoMore(hostile.open('GET', '/case'))),
          stage.seconds,
        )
    },
  },
  {
    name: 'sessions-all',
    what: 'eight lists at once of 100,000 sessions without limit',
    async prepare(stage) {
      const hostile = stage.therapist()
      const path = await hostile.newCase()
      const caseId = Number(path.split('/').at(-1))
      await stage.sql`insert into sessions (case_id, name)
        select ${caseId}, repeat('이름', 100) from generate_series(1, 100000)`
      return async () => statuses(await Promise.all(range(8).map(() => hostile.send('GET', `${path}/session`))))
    },
  },
  {
    name: 'script-searches',
    what: '16 searches at once through four scripts of 10 MB',
    async prepare(stage) {
      const hostile = stage.therapist()
      const text = scriptOf(range(50_000).map((n) => `${n} ${'LONG words '.repeat(15)}`))
      const session = await sessionWithScript(hostile, text)
      const casePath = session.slice(0, session.indexOf('/session'))
      for (const _ of range(3)) await hostile.sendFile(`${await hostile.newSession(casePath)}/script`, 'script', text)
      const search = (n: number) => hostile.send('GET', `${casePath}/script-search?keyword=WORDS%20${n}Q`)
      return async () => statuses((await repeatFor(stage.seconds, () => Promise.all(range(16).map(search)))).flat())
    },
  },
]
