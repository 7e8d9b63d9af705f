import type { ScriptRecord } from '@playtherapy/versions/records'
import { array, assert as check, constantFrom, property, record as recordOf } from 'fast-check'
import t from 'tap'
import { scriptChanges } from '../src/versions/changes.ts'

const clock = (seconds: number) => new Date(seconds * 1000).toISOString().slice(11, 19)
const said = (start: number, text: string, speaker = 'T'): ScriptRecord => ({
  start_time: clock(start),
  end_time: clock(start + 1),
  speaker,
  text,
})
/** Each change as `kinds before>after`. */
const told = (before: ScriptRecord[], after: ScriptRecord[]) =>
  scriptChanges(before, after).changes.map(
    ({ kinds, before, after }) => `${kinds.join('+')} ${before?.index ?? ''}>${after?.index ?? ''}`,
  )

const talk = [said(1, 'a'), said(2, 'b', 'C'), said(3, 'c'), said(4, 'd', 'C'), said(5, 'e')]

t.test('every change has the right kinds', async (t) => {
  const [a, b, c, d, e] = talk
  if (!a || !b || !c || !d || !e) return
  t.same(told(talk, talk), [])
  t.same(told(talk, [a, b, said(9, 'new'), c, d, e]), ['added >2'])
  t.same(told(talk, [a, b, d, e]), ['removed 2>'])
  t.same(told(talk, [a, { ...b, text: 'B' }, c, d, e]), ['text 1>1'])
  t.same(told(talk, [a, { ...b, start_time: clock(7) }, c, d, e]), ['time 1>1'])
  t.same(told(talk, [a, { ...b, end_time: clock(7) }, c, d, e]), ['time 1>1'])
  t.same(told(talk, [a, { ...b, speaker: 'T' }, c, d, e]), ['speaker 1>1'])
  t.same(told(talk, [a, Object.assign({ ...b }, { note: 1 }), c, d, e]), ['other 1>1'])
  t.same(told(talk, [a, { ...b, text: 'B', speaker: 'T' }, c, d, e]), ['text+speaker 1>1'])
  t.same(told(talk, [a, Object.assign({ text: 'X', speaker: 'T', start_time: clock(9) }, { n: [1] }), c, d, e]), [
    'text+time+speaker+other 1>1',
  ])
  t.same(told(talk, [b, a, c, d, e]).length, 2, 'a record that moved past another')
  t.same(told([], talk).length, 5)
  t.same(
    told(talk, []),
    [0, 1, 2, 3, 4].map((index) => `removed ${index}>`),
  )
})

t.test('the response contains both records, their places, and counts', async (t) => {
  const after = [said(0, 'new'), ...talk.map((record) => (record.text === 'c' ? { ...record, text: 'C' } : record))]
  t.same(scriptChanges(talk, after), {
    counts: { same: 4, added: 1, removed: 0, text: 1, time: 0, speaker: 0, other: 0 },
    changes: [
      { kinds: ['added'], after: { index: 0, record: after[0] } },
      { kinds: ['text'], before: { index: 2, record: talk[2] }, after: { index: 3, record: after[3] } },
    ],
  })
})

t.test('another spelling of a time, or of an unknown time, is no change', async (t) => {
  const spelt = (start_time: unknown, end_time: unknown): ScriptRecord[] => [
    { start_time, end_time, speaker: 'T', text: 'a' },
  ]
  t.same(told(spelt('00:00:01', null), spelt('00:00:01.000', '')), [])
  t.same(told(spelt('Invalid Date', { a: 1 }), spelt('Invalid Date', { a: 1 })), [])
  t.same(told(spelt('Invalid Date', ''), spelt('', '')), ['time 0>0'])
})

t.test('several edits are paired as an editor would pair them', async (t) => {
  const words = Array.from({ length: 50 }, (_, index) => said(index * 3, `${index % 5 === 0 ? '네' : `word ${index}`}`))
  const shifted = words.map((record, index) => said(index * 3 + 2, record.text))
  t.same(scriptChanges(words, shifted).counts, {
    same: 0,
    added: 0,
    removed: 0,
    text: 0,
    time: 50,
    speaker: 0,
    other: 0,
  })
  const swapped = words.map((record) => ({ ...record, speaker: 'C' }))
  t.same(scriptChanges(words, swapped).counts.speaker, 50)
  const rewritten = words.map((record) => ({ ...record, text: `${record.text}!` }))
  t.same(scriptChanges(words, [said(200, 'x'), ...rewritten.slice(1)]).counts, {
    same: 0,
    added: 0,
    removed: 0,
    text: 50,
    time: 1,
    speaker: 0,
    other: 0,
  })
  t.match(scriptChanges(words, [said(1, 'x'), ...rewritten]).counts, { added: 1, removed: 0, text: 50 })
  t.same(told([said(1, '네'), said(2, 'one'), said(3, '네')], [said(2, 'uno'), said(3, '네')]), [
    'removed 0>',
    'text 1>0',
  ])
})

t.test('every record of both versions is reported once, in order', async (t) => {
  const some = array(
    recordOf({
      start_time: constantFrom('00:00:01', '00:00:02', ''),
      speaker: constantFrom('T', 'C'),
      text: constantFrom('a', 'b', ''),
    }),
    { maxLength: 12 },
  )
  const forAnyTwo = property(some, some, (before, after) => {
    const { changes, counts } = scriptChanges(before, after)
    const paired = changes.filter((change) => change.before && change.after).length + counts.same
    const { added, removed } = counts
    for (const side of ['before', 'after'] as const) {
      const places = changes.flatMap((change) => change[side]?.index ?? [])
      if (places.some((place, index) => index > 0 && place <= (places[index - 1] ?? 0))) return false
    }
    return paired + added === after.length && paired + removed === before.length
  })
  t.doesNotThrow(() => check(forAnyTwo), 'for any two versions')
})

t.test('large versions with little in common are compared too', async (t) => {
  const many = Array.from({ length: 100_000 }, (_, index) => said(index % 80_000, `word ${index % 1000}`))
  const counts = (after: ScriptRecord[]) => scriptChanges(many, after).counts
  t.match(counts(many.map((record) => ({ ...record, text: `${record.text}!` }))), {
    text: 100_000,
    added: 0,
    removed: 0,
  })
  t.match(counts(many.slice(1)), { removed: 1, same: 99_999 })
  const reversed = counts([...many].reverse())
  t.equal(reversed.added, reversed.removed)
  t.match(counts([]), { removed: 100_000 })
})

t.test('after many records in another order, the rest is compared as edited in place', async (t) => {
  const [blocks, length] = [140, 700]
  const talk = (speaker: string, order: (index: number) => number) =>
    Array.from({ length: blocks }, (_, block) => [
      { speaker: 'T', text: `block ${block}` },
      ...Array.from({ length }, (_, index) => ({ speaker, text: `${block} ${order(index)}` })),
    ]).flat()
  const { counts } = scriptChanges(
    talk('T', (index) => index),
    talk('C', (index) => length - 1 - index),
  )
  t.equal(counts.same, blocks, 'what did not move is found')
  t.ok(counts.added > length, 'first a search tells what was moved')
  t.ok(counts.text > 90_000, 'until all of them together have cost too much')
})
