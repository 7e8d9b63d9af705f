import { type ScriptRecord, toVtt as vttOf } from '@playtherapy/versions/records'
import t from 'tap'
import * as srt from '../src/export/srt.ts'
import { captionsText } from '../src/import/lines.ts'
import { fromSrt } from '../src/import/srt.ts'
import { fromVtt } from '../src/import/vtt.ts'

const toSrt = (records: ScriptRecord[]) => [...srt.toSrt(records)].join('')
const toVtt = (records: ScriptRecord[]) => [...vttOf(records)].join('')

const place = ['body', 'script']
const read = {
  vtt: (text: string) => fromVtt(captionsText(Buffer.from(text), place), place),
  srt: (text: string) => fromSrt(captionsText(Buffer.from(text), place), place),
}
const formats = { vtt: { write: toVtt, read: read.vtt }, srt: { write: toSrt, read: read.srt } }

const talk: ScriptRecord[] = [
  { start_time: '00:00:00.001', end_time: '00:00:01.999', speaker: 'T', text: '오늘은 무엇을 하고 싶니?' },
  { start_time: '00:00:05', end_time: '00:00:06', speaker: 'C', text: '인형이요 🧸 "네"' },
  { start_time: '01:59:59.9', end_time: '100:00:00.123', speaker: 'Dr. Kim', text: 'two\nlines' },
  { start_time: '101:00:00', end_time: '101:00:01', speaker: '', text: 'nobody' },
]
const inMs = talk.map((record) =>
  record.start_time === '01:59:59.9' ? { ...record, start_time: '01:59:59.900' } : record,
)

t.test('captions are imported as they were exported, to the millisecond', async (t) => {
  for (const [name, { write, read }] of Object.entries(formats)) {
    t.same(read(write(talk)), inMs, name)
    t.same(read(`\ufeff${write(talk).replaceAll('\n', '\r\n')}`), inMs, `${name} by Windows`)
    t.same(read(write(talk).replaceAll('\n', '\r')), inMs, `${name} by an old Mac`)
    t.same(read(write([])), [], `${name} of nothing`)
  }
  const times = Array.from({ length: 2000 }, (_, index) => {
    const ms = String(index % 1000).padStart(3, '0')
    return { start_time: `00:0${index % 10}:59.${ms}`, end_time: `00:59:00.${ms}`, speaker: 'T', text: `${index}` }
  })
  for (const { write, read } of Object.values(formats)) {
    const byText = read(write(times)).sort((a, b) => Number(a.text) - Number(b.text))
    t.same(
      byText,
      times.map((record) => ({ ...record, ...read(write([record]))[0] })),
    )
    t.ok(byText.every(({ start_time }, index) => start_time === times[index]?.start_time.replace('.000', '')))
  }
})

t.test('exported captions have this form', async (t) => {
  t.equal(
    toVtt(talk.slice(1, 4)),
    'WEBVTT\n\n00:00:05.000 --> 00:00:06.000\n<v C>인형이요 🧸 "네"</v>\n\n' +
      '01:59:59.900 --> 100:00:00.123\n<v Dr. Kim>two\nlines</v>\n\n101:00:00.000 --> 101:00:01.000\nnobody\n',
  )
  t.equal(
    toSrt(talk.slice(1, 4)),
    '1\n00:00:05,000 --> 00:00:06,000\nC: 인형이요 🧸 "네"\n\n' +
      '2\n01:59:59,900 --> 100:00:00,123\nDr. Kim: two\nlines\n\n3\n101:00:00,000 --> 101:00:01,000\nnobody\n',
  )
})

t.test('WebVTT can contain any text and any speaker', async (t) => {
  const nasty = [
    'a --> b',
    '</v><v X>c',
    '&lt; &amp;amp; & < >',
    'NOTE x',
    'WEBVTT',
    'x 00:00:01.000 --> 00:00:02.000',
    'x: y',
    '<b>',
  ]
  const records = nasty.flatMap((text) => [
    { start_time: '00:00:01', end_time: '00:00:02', speaker: 'T', text },
    { start_time: '00:00:01', end_time: '00:00:02', speaker: text, text },
  ])
  t.same(read.vtt(toVtt(records)), records)
  t.notMatch(toVtt(records).replaceAll(/^\S+ --> \S+$/gm, ''), '-->')
  const [record] = read.vtt(
    toVtt([{ start_time: '00:00:01', end_time: '00:00:02', speaker: ' a\nb ', text: '\n1\r\n\r\n \n2\n' }]),
  )
  t.match(record, { speaker: 'a b', text: '1\n\n \n2' }, 'blank lines do not end the cue')
})

t.test('no text becomes a cue of SubRip', async (t) => {
  const times = { start_time: '00:00:01', end_time: '00:00:02' }
  const text = 'x\n2\n00:00:05,000 --> 00:00:06,000\nnobody said this'
  t.same(read.srt(toSrt([{ ...times, speaker: 'T', text }])), [{ ...times, speaker: 'T', text }])
})

t.test(
  'text that looks like a tag of no format is shown by players of SubRip, which leave out unknown tags',
  async (t) => {
    const said = {
      start_time: '00:00:01',
      end_time: '00:00:02',
      speaker: 'T',
      text: 'MyValue<String> <img src=x> </end> 1 < 2',
    }
    t.notMatch(toSrt([said]), /<[a-z/]/i)
    t.same(read.srt(toSrt([said])), [said])
  },
)

t.test('captions give a time to records without one, and are ordered by start', async (t) => {
  const times = (...records: [unknown, unknown, string?][]) =>
    toVtt(records.map(([start_time, end_time, text = 'x']) => ({ start_time, end_time, speaker: '', text })))
      .split('\n')
      .filter((line) => line.includes('-->'))
      .map((line) => line.replaceAll('00:', ''))
  t.same(times([null, ''], ['00:00:03', undefined], ['Invalid Date', '00:00:09'], ['00:00:10', '00:00:10']), [
    '00.000 --> 03.000',
    '03.000 --> 08.000',
    '08.000 --> 09.000',
    '10.000 --> 15.000',
  ])
  t.same(times(['00:00:05', '00:00:04'], ['00:00:02', {}], ['00:00:07', '00:00:08']), [
    '02.000 --> 05.000',
    '05.000 --> 07.000',
    '07.000 --> 08.000',
  ])
  t.same(
    times(['00:00:01', '00:00:01'], ['00:00:01', '00:00:01'], ['00:00:02.5', '00:00:03']),
    ['01.000 --> 02.500', '01.000 --> 02.500', '02.500 --> 03.000'],
    'whole seconds',
  )
  t.same(times(['00:00:01', '00:00:02', ' \n'], [12, 12, '']), [], 'nothing is said')
})

t.test('WebVTT of other programs is read', async (t) => {
  const file = `WEBVTT - 회기 1
Kind: captions

NOTE a comment
of two lines

STYLE
::cue(v) { color: red }

intro
00:01.000 --> 00:02.500 align:start position:10%
<v.loud 엄마>안녕</v> <v Child><i>hi</i> &amp; <00:01.500>bye &unknown; &nbsp;

00:02.500 --> 00:03.000
<v T>It&#39;s <c.x>you</c></v> (door)
<v C>&#x1F9F8; &#X41; &amp;#39; &#0; &#xD83E; &#9999999;

01:00:00.000 --> 01:00:00.000
no voice

00:00:03.000 --> 00:00:04.000
`
  t.same(read.vtt(file), [
    { start_time: '00:00:01', end_time: '00:00:02.500', speaker: '엄마', text: '안녕' },
    { start_time: '00:00:01', end_time: '00:00:02.500', speaker: 'Child', text: 'hi & bye &unknown;' },
    { start_time: '00:00:02.500', end_time: '00:00:03', speaker: 'T', text: "It's you" },
    { start_time: '00:00:02.500', end_time: '00:00:03', speaker: '', text: '(door)' },
    {
      start_time: '00:00:02.500',
      end_time: '00:00:03',
      speaker: 'C',
      text: '🧸 A &#39; &#0; &#xD83E; &#9999999;',
    },
    { start_time: '01:00:00', end_time: '01:00:00', speaker: '', text: 'no voice' },
  ])
  t.same(read.vtt('WEBVTT\n00:01.000 --> 00:02.000\n김 선생님: 안녕\n'), [
    { start_time: '00:00:01', end_time: '00:00:02', speaker: '김 선생님', text: '안녕' },
  ])
})

t.test('SubRip of other programs is read', async (t) => {
  const file = `1
0:00:01.500 --> 0:00:02,000 X1:0 X2:10
<i>[SPEAKER_00]: 안녕</i>
<font color="#fff">둘</font> a < b


00:00:03,000 --> 00:00:04,000
at ten: ${'x'.repeat(50)}: y
`
  let refusal: unknown
  try {
    read.srt(`${file}\n\n\nloose words`)
  } catch (error) {
    refusal = error
  }
  t.match(refusal, { detail: [{ loc: [...place, 12] }] })
  t.same(
    read.srt(file).map(({ speaker, text }) => [speaker, text]),
    [
      ['SPEAKER_00', '안녕\n둘 a < b'],
      ['at ten', `${'x'.repeat(50)}: y`],
    ],
  )
})

t.test('an import of captions that cannot be read names the lines', async (t) => {
  const faults = (read: () => unknown) => {
    try {
      read()
    } catch (error) {
      return Object(error).detail.map(({ loc }: { loc: unknown[] }) => loc.slice(place.length).join('.'))
    }
    return []
  }
  t.same(
    faults(() => read.vtt('')),
    [''],
  )
  t.same(
    faults(() => read.vtt('WEBVTTX\n')),
    [''],
  )
  t.same(
    faults(() => read.vtt('1\n00:00:01,000 --> 00:00:02,000\nx\n')),
    [''],
  )
  t.same(
    faults(() =>
      read.vtt('WEBVTT\n\n00:01 --> 00:02.000\nx\n\n00:01.000 --> 00:02.000\nx\n\na\nb\n00:01.000 --> 00:02.000'),
    ),
    ['3', '9'],
  )
  t.same(
    faults(() => read.srt('1\n00:00:01,000 -> 00:00:02,000\nx\n\n2\n00:60:00,000 --> 00:61:00,000')),
    ['1', '5'],
  )
  t.same(
    faults(() => read.srt('1\n00:00:01,50 --> 00:00:02,000\nx')),
    ['1'],
  )
  t.same(
    faults(() => captionsText(Buffer.from([0xbe, 0xc8, 0xb3, 0xe7]), place)),
    [''],
    'the old Korean code page',
  )
  t.same(
    faults(() => read.srt('1\n00:00:01,000 --> 00:00:02,000\nx\0')),
    [''],
  )
  t.equal(faults(() => read.srt('x\n\n'.repeat(100_000))).length, 100)
  t.same(
    faults(() => read.srt('00:00:01,000 --> 00:00:02,000\nx\n\n'.repeat(100_001))),
    [''],
  )
  t.same(
    faults(() => read.vtt(`WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n${'<v a>b'.repeat(100_001)}`)),
    [''],
  )
})

t.test('captions of 100,000 records, and hostile texts, are read and written fast', async (t) => {
  const record = { start_time: '00:00:01', end_time: '00:00:02', speaker: 'T', text: '안녕 '.repeat(20) }
  const many = Array.from({ length: 100_000 }, () => record)
  for (const { write, read } of Object.values(formats)) t.equal(read(write(many)).length, 100_000)
  const head = '00:00:01.000 --> 00:00:02.000\n'
  for (const slow of [
    `<v${' '.repeat(5e6)}`,
    '<'.repeat(5e6),
    '&'.repeat(5e6),
    `[${' '.repeat(5e6)}`,
    '<v a'.repeat(1e6),
  ]) {
    t.equal(read.vtt(`WEBVTT\n\n${head}${slow}`).length, 1)
    t.equal(read.srt(head + slow).length, 1)
  }
})
