import { cases, sessions } from '@playtherapy/schema'
import type { LinkPurpose } from '@playtherapy/service-kit'
import { storeBackends, testStore } from '@playtherapy/testing'
import type { ScriptRecord } from '@playtherapy/versions/records'
import t from 'tap'
import { toCaptions } from '../src/export/captions.ts'
import { form, saved, testScripts } from './support.ts'

type Said = [start: unknown, end: unknown, speaker: string, text: string]

const captionsOf = (...records: Said[]) =>
  [
    ...toCaptions(
      records.map(([start_time, end_time, speaker, text]): ScriptRecord => ({ start_time, end_time, speaker, text })),
    ),
  ].join('')

/** The cues of a file: start, end, and lines. */
const cuesOf = (text: string) =>
  text
    .split('\n\n')
    .slice(1)
    .map((cue) => cue.trimEnd().split('\n'))
    .map(([times = '', ...lines]) => [
      ...times
        .replaceAll('00:', '')
        .replace(/ line:.*/, '')
        .split(' --> '),
      ...lines,
    ])

t.test('people who talk at once are shown together, by one cue at a time', async (t) => {
  t.equal(
    captionsOf(
      ['00:00:01', '00:00:05', 'T', '오늘은?'],
      ['00:00:03', '00:00:04', 'C', 'a & b\nc'],
      ['00:00:05', '00:00:06', '', '<i>'],
      ['00:00:08', '00:00:09', 'T', 'x'],
    ),
    'WEBVTT\n\n00:00:01.000 --> 00:00:03.000 line:-2\n<v T>오늘은?</v>\n\n' +
      '00:00:03.000 --> 00:00:04.000 line:-4\n<v T>오늘은?</v>\n<v C>a &amp; b\nc</v>\n\n' +
      '00:00:04.000 --> 00:00:05.000 line:-2\n<v T>오늘은?</v>\n\n' +
      '00:00:05.000 --> 00:00:06.000 line:-2\n&lt;i&gt;\n\n' +
      '00:00:08.000 --> 00:00:09.000 line:-2\n<v T>x</v>\n',
  )
  t.equal(captionsOf(), 'WEBVTT\n')
})

t.test('cues never overlap, and each moment shows what is said then', async (t) => {
  const random = (most: number) => Math.floor(Math.random() * most)
  const time = (ms: number) => `00:00:${String(ms / 1000).padStart(2, '0')}`
  const wrong: unknown[] = []
  for (let round = 0; round < 100; round++) {
    const spans = Array.from({ length: 1 + random(16) }, (_, index) => {
      const start = random(10) * 1000
      return { start, end: start + 1000 * (1 + random(4)), text: `${round}-${index}` }
    })
    const cues = cuesOf(captionsOf(...spans.map(({ start, end, text }): Said => [time(start), time(end), 'T', text])))
    for (let at = 0.5; at < 15; at++) {
      const said = spans
        .filter(({ start, end }) => start < at * 1000 && at * 1000 < end)
        .map(({ text }) => `<v T>${text}</v>`)
      const now = cues.filter(([start, end]) => Number(start) < at && at < Number(end))
      const shown = now.flatMap((cue) => cue.slice(2))
      const areAll = shown.length === Math.min(10, said.length) && shown.every((line) => said.includes(line))
      if (!areAll || now.length > 1) wrong.push({ spans, at, now })
    }
  }
  t.same(wrong, [])
  const [, ...lines] =
    cuesOf(captionsOf(...Array.from('abcdefghijkl', (text): Said => ['00:00:01', '00:00:02', '', text])))[0] ?? []
  t.same(lines, ['02.000', ...'cdefghijkl'], 'the last ten')
})

t.test('of texts that do not fit together the last are shown, and one that does not fit alone', async (t) => {
  const linesAt = (...texts: string[]) => {
    const [cue = ''] = captionsOf(...texts.map((text): Said => ['00:00:01', '00:00:02', '', text]))
      .split('\n\n')
      .slice(1)
    const [times = '', ...lines] = cue.trimEnd().split('\n')
    return [times.split(' ').at(-1), ...lines]
  }
  const latin = 'a'.repeat(65)
  const korean = '가'.repeat(33)
  const long = '가'.repeat(1_000)
  t.same(linesAt(latin, 'b'), ['line:-4', latin, 'b'])
  t.same(linesAt(korean, 'b'), ['line:-4', korean, 'b'])
  t.same(linesAt('a', 'b'.repeat(64 * 9)), ['line:-11', 'a', 'b'.repeat(64 * 9)])
  t.same(linesAt('a', 'b'.repeat(64 * 10)), ['line:-11', 'b'.repeat(64 * 10)])
  t.same(linesAt('a', long), ['line:-11', long])
  t.same(linesAt(long, 'a'), ['line:-2', 'a'])
})

for (const backend of storeBackends) {
  t.test(`${backend}: a link serves the newest script as captions`, async (t) => {
    const { db, host, place, post } = await testScripts(t, await testStore(t, backend))
    const caller = { userId: 7, ...place }
    const ask = (purpose: LinkPurpose, headers = {}, method = 'GET', file = 'captions.vtt') =>
      fetch(host.linkTo(caller, purpose, file), { method, headers })
    const gone = [404, { message: 'This link opens nothing, or nothing any more', error_code: 404 }]
    const refusal = async (asked: Promise<Response>) => {
      const answer = await asked
      return [answer.status, await answer.json()]
    }
    t.same(await refusal(ask('captions')), gone, 'no script yet')
    const record = { start_time: '00:00:01', end_time: '00:00:02', speaker: 'T', text: '안녕' }
    t.same(await post(form(JSON.stringify({ scripts: [record] }))), saved)
    const text = 'WEBVTT\n\n00:00:01.000 --> 00:00:02.000 line:-2\n<v T>안녕</v>\n'
    for (const purpose of ['captions', 'hls'] as const) {
      const answer = await ask(purpose, { origin: 'http://localhost:3000', authorization: 'Bearer undefined' })
      t.equal(await answer.text(), text)
      t.match(
        [answer.status, Object.fromEntries(answer.headers)],
        [
          200,
          {
            'content-type': 'text/vtt; charset=utf-8',
            'content-length': `${Buffer.byteLength(text)}`,
            'cache-control': 'private, no-store',
            'access-control-allow-origin': 'http://localhost:3000',
            'cross-origin-resource-policy': 'cross-origin',
            'referrer-policy': 'no-referrer',
            etag: 'W/"1-captions"',
          },
        ],
      )
      t.equal((await ask(purpose, { 'if-none-match': 'W/"1-captions"' })).status, 304)
      const head = await ask(purpose, {}, 'HEAD')
      t.match([head.status, await head.text()], [200, ''])
    }
    for (const purpose of ['mp4', 'poster', 'storyboard'] as const) t.same(await refusal(ask(purpose)), gone, purpose)
    t.equal((await ask('captions', {}, 'POST')).status, 405)
    t.equal((await ask('captions', {}, 'GET', 'script.vtt')).status, 404)
    const changed = { ...record, text: 'new' }
    t.same(await post(form(JSON.stringify({ scripts: [changed] }))), saved)
    t.match(await (await ask('captions')).text(), /new/, 'the newest')

    await db.update(cases).set({ userId: 8 })
    t.same(await refusal(ask('captions')), gone, 'the case is another therapist’s')
    await db.update(cases).set({ userId: 7 })
    t.equal((await ask('captions')).status, 200)
    await db.delete(sessions)
    t.same(await refusal(ask('captions')), gone, 'the session was deleted')
  })
}

t.test('captions of hostile scripts are bounded', async (t) => {
  const { host, place, post } = await testScripts(t, await testStore(t, 'file'))
  const time = (second: number) => new Date(second * 1000).toISOString().slice(11, 19)
  const scripts = {
    'all until the end': Array.from({ length: 5_000 }, (_, index) => [time(index), '23:59:59', 'x'.repeat(20)]),
    'all at once': Array.from({ length: 20_000 }, () => ['00:00:01', '00:00:02', 'x']),
    'no times': Array.from({ length: 20_000 }, () => ['', '', '&&&&']),
    'a long one below many': [
      ['00:00:00', '23:59:59', 'x'.repeat(500_000)],
      ...Array.from({ length: 1_000 }, (_, index) => [time(index * 2), time(index * 2 + 1), 'y']),
    ],
  }
  for (const [what, records] of Object.entries(scripts)) {
    const body = {
      scripts: records.map(([start_time, end_time, text]) => ({ start_time, end_time, speaker: 'T', text })),
    }
    t.same(await post(form(JSON.stringify(body))), saved, what)
    const answer = await fetch(host.linkTo({ userId: 7, ...place }, 'captions', 'captions.vtt'))
    const size = (await answer.arrayBuffer()).byteLength
    const isTooLong = what.startsWith('a long')
    t.equal(answer.status, isTooLong ? 413 : 200, `${what}: ${size} bytes`)
  }
})
