import type { ScriptRecord } from '@playtherapy/versions/records'
import t from 'tap'
import Value from 'typebox/value'
import { Summary } from '../src/summary/schemas.ts'
import { summarise } from '../src/summary/summary.ts'

const said = (speaker: string, start_time: unknown, end_time: unknown, text: string): ScriptRecord => ({
  speaker,
  start_time,
  end_time,
  text,
})

t.test('the figures are those of a count by hand', async (t) => {
  const script = [
    said('T', '00:00:00', '00:00:03', '오늘은 무엇을 하고 싶니?'), // 4 words, 3 s
    said('C', '00:00:04', '00:00:05', '인형이요.'), // 1 word, 1 s; response after 1 s
    said('C', '00:00:10', '00:00:12', '이거 어디에 둬요？'), // 3 words, 2 s; pause of 5 s: a silence
    said('C', '00:00:12', '00:00:13', '…'), // no word: as if it were not there
    said('T', '00:00:11.5', '00:00:13.5', '네가 정할 수 있어'), // 4 words, 2 s; overlaps by 0.5 s
    said('C', '00:00:13.75', '00:00:15.75', '여기 둘래'), // 2 words, 2 s; response after 0.25 s
    said('T', '', null, '응 - 그래'), // 2 words, times unknown: no talk, no offset
    said('C', '00:00:20', '00:00:20', '네'), // 1 word, 0 s; the utterance above has no end
    said('T', '00:00:23', '00:00:24', 'Ok.'), // 1 word, 1 s; response after 3 s: a silence
  ]
  const summary = summarise(script)
  t.same(summary, {
    utterances: 8,
    words: 18,
    turns: 7,
    speakers: [
      {
        speaker: 'T',
        role: 'therapist',
        utterances: 4,
        words: 11,
        mean_length: 2.75,
        questions: 1,
        turns: 4,
        talk_ms: 6000,
        time_share: 0.5455, // 6 of 11 s
        word_share: 0.6111, // 11 of 18
        responses: { count: 1, mean_ms: 3000, median_ms: 3000, overlaps: 1 },
      },
      {
        speaker: 'C',
        role: 'child',
        utterances: 4,
        words: 7,
        mean_length: 1.75,
        questions: 1,
        turns: 3,
        talk_ms: 5000,
        time_share: 0.4545,
        word_share: 0.3889,
        responses: { count: 2, mean_ms: 625, median_ms: 625, overlaps: 0 },
      },
    ],
    silences: { count: 2, total_ms: 8000, longest_ms: 5000 },
  })
  t.ok(Value.Check(Summary, summary))
})

t.test('the median of response latencies', async (t) => {
  const gaps = [1000, 9000, 2000]
  let now = 0
  const script = gaps.flatMap((gap) => {
    const at = (ms: number) => new Date(ms).toISOString().slice(11, 23)
    const pair = [said('T', at(now), at(now + 1000), 'a'), said('C', at(now + 1000 + gap), at(now + 2000 + gap), 'b')]
    now += 2000 + gap
    return pair
  })
  const [therapist, child] = summarise(script).speakers
  t.same(child?.responses, { count: 3, mean_ms: 4000, median_ms: 2000, overlaps: 0 })
  t.same(therapist?.responses, { count: 2, mean_ms: 0, median_ms: 0, overlaps: 0 }, 'no gap at all is a response too')
})

t.test('a figure that cannot be counted is null', async (t) => {
  const nothing = {
    utterances: 0,
    words: 0,
    turns: 0,
    speakers: [],
    silences: { count: 0, total_ms: 0, longest_ms: null },
  }
  t.same(summarise([]), nothing)
  t.same(summarise([said('T', '00:00:01', '00:00:02', ' \n…! ')]), nothing)
  t.match(summarise([said('T', 'Invalid Date', '00:00:02', 'a b')]), {
    speakers: [
      { talk_ms: 0, time_share: null, word_share: 1, responses: { count: 0, mean_ms: null, median_ms: null } },
    ],
  })
  const ends = summarise([said('T', '00:00:05', '00:00:04', 'a'), said('C', '00:00:09', '00:00:10', 'b')])
  t.match(ends, { silences: { count: 0 }, speakers: [{ talk_ms: 0 }, { talk_ms: 1000, responses: { count: 0 } }] })
  const order = summarise([said('T', '00:01:00', '00:01:01', 'a'), said('C', '00:00:01', '00:00:02', 'b')])
  t.match(order.speakers[1]?.responses, { count: 0, overlaps: 0 })
})

t.test('speakers are distinguished by name, roles by the first letter', async (t) => {
  const names = ['T', ' T ', 'T1', 'Child', 'Mother', '']
  const { speakers } = summarise(names.map((name) => said(name, null, null, 'a')))
  t.same(
    speakers.map(({ speaker, role, utterances }) => [speaker, role, utterances]),
    [
      ['T', 'therapist', 2],
      ['T1', 'therapist', 1],
      ['Child', 'child', 1],
      ['Mother', 'other', 1],
      ['', 'other', 1],
    ],
  )
})

t.test('a speaker whose name was typed in two ways is one', async (t) => {
  const names = ['김 지우', '김 지우'.normalize('NFD'), '김\u00a0지우\u200b', 'Mother', 'MOTHER', 'T', '\ufeffT', 't']
  const { speakers, turns } = summarise(names.map((name) => said(name, null, null, 'a')))
  t.same(
    speakers.map(({ speaker, role, utterances }) => [speaker, role, utterances]),
    [
      ['김 지우', 'other', 3],
      ['Mother', 'other', 2],
      ['T', 'therapist', 2],
      ['t', 'other', 1],
    ],
  )
  t.equal(turns, 4)
})

t.test('100,000 records, and as many speakers, are counted', async (t) => {
  const many = Array.from({ length: 100_000 }, (_, index) => said(`S${index}`, '00:00:01', '00:00:02', '안녕 지우야?'))
  const summary = summarise(many)
  t.match(summary, { utterances: 100_000, words: 200_000, turns: 100_000 })
  t.equal(summary.speakers.length, 100)
  const slow = said('T', null, null, ' '.repeat(5_000_000) + 'a'.repeat(5_000_000))
  t.equal(summarise([slow]).words, 1)
})
