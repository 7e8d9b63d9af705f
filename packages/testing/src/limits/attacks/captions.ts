import {
  type Attack,
  hold,
  insist,
  range,
  readNoMore,
  record,
  repeatFor,
  sessionWithScript,
  statuses,
} from '../attack.ts'
import { openRequest, request } from '../client.ts'
import { linksOf } from '../links.ts'

/** The largest script whose records all overlap, of which captions make the most. */
const overlapping = (count: number) =>
  JSON.stringify({
    scripts: range(count).map((n) => ({
      ...record('오늘은 무엇을 하고 싶니? '.repeat(4), n),
      start_time: new Date(n * 100).toISOString().slice(11, 23),
      end_time: new Date(n * 100 + 5_000).toISOString().slice(11, 23),
    })),
  })

/** Returns an attack of players that ask for the captions of a script at once, and again. */
const captioned = (name: string, what: string, script: () => string): Attack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await sessionWithScript(hostile, script())
    const link = (await linksOf(hostile, session)).get('captions') ?? ''
    return async () => {
      const ask = () => Promise.all(range(50).map(() => request(stage.url + link)))
      const answers = (await repeatFor(stage.seconds, ask)).flat()
      const found = answers.find(({ status }) => status === 200)
      // Captions that would be larger than any file of ours are 413.
      insist(
        answers.every(({ status }) => [200, 413, 429].includes(status)),
        statuses(answers),
      )
      return `${statuses(answers)}, ${Math.round((found?.body.length ?? 0) / 1024)} KiB`
    }
  },
})

/** Captions that are expensive to make, for many players at once. */
export const captionAttacks: Attack[] = [
  captioned('captions-largest', '50 players at once ask for the captions of the largest script', () => {
    const text = 'ab '.repeat(36)
    return JSON.stringify({
      scripts: range(100_000).map((n) => ({
        ...record(text, n),
        start_time: new Date(n * 1_000).toISOString().slice(11, 19),
        end_time: new Date(n * 1_000 + 900).toISOString().slice(11, 23),
      })),
    })
  }),
  captioned('captions-overlapping', 'the same where 50 of 80,000 records overlap at any time', () =>
    overlapping(80_000),
  ),
  captioned('captions-markup', 'the same of 19 MB of `<`', () =>
    JSON.stringify({ scripts: [{ ...record('<'.repeat(19_000_000)), start_time: '00:00:01', end_time: '00:00:09' }] }),
  ),
  {
    name: 'captions-unread',
    what: 'the captions of a script of 2 MB, of which 300 players read nothing',
    async prepare(stage) {
      const hostile = stage.therapist()
      const session = await sessionWithScript(hostile, overlapping(10_000))
      const link = (await linksOf(hostile, session)).get('captions') ?? ''
      return () =>
        hold(
          range(300).map(() => readNoMore(openRequest('GET', stage.url + link, {}))),
          stage.seconds,
        )
    },
  },
  {
    name: 'captions-crowd',
    what: 'the captions of the largest script of each of 16 therapists, by ten players at once',
    crowd: true,
    async prepare(stage) {
      const script = overlapping(80_000)
      const links: string[] = []
      for (const _ of range(16)) {
        const hostile = stage.therapist()
        links.push((await linksOf(hostile, await sessionWithScript(hostile, script))).get('captions') ?? '')
      }
      return async () => {
        const ask = () => Promise.all(range(160).map((n) => request(stage.url + links[n % links.length])))
        return statuses((await repeatFor(stage.seconds, ask)).flat())
      }
    },
  },
]
