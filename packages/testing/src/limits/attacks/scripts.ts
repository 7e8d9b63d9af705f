import { type Attack, range, record, repeatFor, scriptOf, sessionWithScript, statuses } from '../attack.ts'
import type { Stage } from '../place.ts'

type ScriptAttack = Attack<Pick<Stage, 'therapist' | 'seconds'>>

const form = (text: string) => {
  const body = new FormData()
  body.set('script', new Blob([text]), 'captions.vtt')
  return { body }
}
const megabytes = (text: string, count: number) => text.repeat(Math.floor((count * 1_000_000) / text.length))
const cue = '00:01.000 --> 00:02.000\nT: hello\n\n'
/** Returns a letter with this many pairs of combining marks, which NFC has to sort. */
const marks = (pairs: number) => `a${'\u0301\u0323'.repeat(pairs)}`
/** Returns an attack that saves a script and reads these paths below it, at once and repeatedly. */
const reading = (name: string, what: string, script: () => string, paths: string[]): ScriptAttack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await sessionWithScript(hostile, script())
    const ask = () => Promise.all(paths.map((path) => hostile.send('GET', `${session}/script${path}`)))
    return async () => statuses((await repeatFor(stage.seconds, ask)).flat())
  },
})

/** Returns an attack that imports one body as the script of a new session. */
const importing = (name: string, what: string, text: () => string): ScriptAttack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await hostile.newSession()
    const captions = text()
    return async () => statuses([await hostile.send('POST', `${session}/script/import`, form(captions))])
  },
})

const hundredThousand = () => scriptOf(range(100_000).map((n) => `${n} 오늘은 무엇을 하고 싶니?`))

/** Returns an attack that compares two versions of a script with 99,000 records. */
const comparing = (name: string, what: string, change: (texts: string[]) => string[]): ScriptAttack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const texts = range(99_000).map((n) => `text ${n}`)
    const session = await sessionWithScript(hostile, scriptOf(texts))
    await hostile.sendFile(`${session}/script`, 'script', scriptOf(change(texts)))
    return async () => statuses([await hostile.send('GET', `${session}/script/changes?from=1&to=2`)])
  },
})

/** Scripts that are expensive to read, compare, search or export. */
export const scriptAttacks: ScriptAttack[] = [
  reading('summary', "a summary of 20 MB of 'ab '", () => scriptOf([megabytes('ab ', 20)]), ['/summary']),
  reading(
    'summary-words',
    'a summary of 100,000 records of 60 words',
    () => scriptOf(range(100_000).map(() => 'ab '.repeat(40))),
    ['/summary'],
  ),
  reading(
    'summary-speakers',
    'a summary of 100,000 speakers',
    () => JSON.stringify({ scripts: range(100_000).map((n) => ({ ...record('a'), speaker: `T${n}` })) }),
    ['/summary'],
  ),
  reading('xlsx', 'a workbook of 100,000 records', hundredThousand, ['.xlsx']),
  reading('exports', 'every format of 100,000 records at once', hundredThousand, [
    '.xlsx',
    '.csv',
    '.vtt',
    '.srt',
    '.txt',
  ]),
  importing(
    'import-comments',
    'an import of 20 MB of short VTT comments',
    () => `WEBVTT\n\n${megabytes('NOTE\n\n', 20)}${cue}`,
  ),
  importing('import-lines', 'an import of 20 MB of blank lines', () => `WEBVTT\n\n${megabytes('\n', 20)}${cue}`),
  importing('import-cues', 'an import of 100,000 cues', () => `WEBVTT\n\n${cue.repeat(100_000)}`),
  importing(
    'import-tags',
    'an import of a cue of 20 MB of tags',
    () => `WEBVTT\n\n00:01.000 --> 00:02.000\n${megabytes('<v a>b', 20)}\n`,
  ),
  importing('import-crlf', 'an import of 20 MB of carriage returns', () => `WEBVTT\n\n${cue}${megabytes('\r', 20)}`),
  {
    name: 'saves',
    what: '12 saves of 17 MB at once',
    async prepare(stage) {
      const hostile = stage.therapist()
      const sessions = await Promise.all(range(12).map(() => hostile.newSession()))
      const text = scriptOf(range(90_000).map((n) => `${n} ${'ab '.repeat(28)}`))
      return async () =>
        statuses(await Promise.all(sessions.map((session) => hostile.sendFile(`${session}/script`, 'script', text))))
    },
  },
  {
    name: 'saves-crowd',
    what: 'the same from 12 therapists',
    crowd: true,
    async prepare(stage) {
      const hostile = range(12).map(() => stage.therapist())
      const sessions = await Promise.all(hostile.map(async (each) => ({ each, session: await each.newSession() })))
      const text = scriptOf(range(90_000).map((n) => `${n} ${'ab '.repeat(28)}`))
      return async () =>
        statuses(
          await Promise.all(sessions.map(({ each, session }) => each.sendFile(`${session}/script`, 'script', text))),
        )
    },
  },
  comparing('changes', 'changes between 99,000 records, each of them another', (texts) =>
    texts.map((text) => `${text}.`),
  ),
  comparing('changes-order', 'changes between 99,000 records in the opposite order', (texts) => texts.toReversed()),
  comparing('changes-shifted', 'changes between 99,000 records, every second one removed', (texts) =>
    texts.filter((_, n) => n % 2 === 0),
  ),
  {
    name: 'normalize',
    what: 'a search through a script of one letter with 320 KB of combining marks',
    async prepare(stage) {
      const hostile = stage.therapist()
      const session = await sessionWithScript(hostile, scriptOf([marks(80_000)]))
      const casePath = session.slice(0, session.indexOf('/session'))
      return async () => statuses([await hostile.send('GET', `${casePath}/script-search?keyword=abc`)])
    },
  },
  {
    name: 'normalize-large',
    what: 'the same with 20 MB of them, saved, searched, summarised and exported',
    async prepare(stage) {
      const hostile = stage.therapist()
      const session = await hostile.newSession()
      const casePath = session.slice(0, session.indexOf('/session'))
      const text = scriptOf([marks(4_900_000)])
      return async () => {
        const answers = [await hostile.sendFile(`${session}/script`, 'script', text)]
        for (const path of ['/summary', '.csv', '.txt'])
          answers.push(await hostile.send('GET', `${session}/script${path}`))
        answers.push(await hostile.send('GET', `${casePath}/script-search?keyword=abc`))
        return statuses(answers)
      }
    },
  },
  {
    name: 'normalize-keyword',
    what: '100 searches by a keyword of 200 combining marks, and a case described by 16 KB of them',
    async prepare(stage) {
      const hostile = stage.therapist()
      const keyword = encodeURIComponent(marks(99))
      const path = await hostile.newCase({ note: marks(4_000) })
      const paths = [`/case?keyword=${keyword}`, `${path}/script-search?keyword=${keyword}`]
      return async () => {
        const ask = (n: number) => hostile.send('GET', paths[n % 2] ?? '')
        return statuses(await Promise.all(range(100).map(ask)))
      }
    },
  },
]
