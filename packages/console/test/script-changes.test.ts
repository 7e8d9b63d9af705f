import t from 'tap'
import { applyChange, insisting, inverse, laterRows, newRow, type Row, toPatch } from '../src/script/change.ts'
import { betweenCharacters, editRow, insertRow, mergeRows, removeRow, splitRow } from '../src/script/edits.ts'
import { createOpenScript } from '../src/script/open-script.ts'
import { type ScriptRecord, secondsOf, timeOf, typedTime } from '../src/script/records.ts'

const record = (text: string, more: Partial<ScriptRecord> = {}): ScriptRecord => ({
  start_time: '00:00:01',
  end_time: '00:00:05',
  speaker: 'T',
  text,
  ...more,
})
const script = (...texts: string[]) => texts.map((text) => newRow(record(text)))
const rowAt = (rows: readonly Row[], at: number) => rows[at] ?? newRow(record('none'))
const textsOf = (rows: readonly Row[] | undefined) => rows?.map((row) => row.record.text)
/** Rows of which somebody else has changed one. */
const withRecord = (rows: readonly Row[], at: number, changed: Partial<ScriptRecord>) =>
  rows.map((row, index) => (index === at ? { ...row, record: { ...row.record, ...changed } } : row))
const edit = (rows: readonly Row[], at: number, changed: Partial<ScriptRecord>) => {
  const row = rowAt(rows, at)
  return editRow(rows, at, row, { ...row.record, ...changed })
}

t.test('an edit is one operation, and other keys are not touched', async (t) => {
  const rows = withRecord(script('a', 'b'), 1, { 'odd/~key': { deep: [1] }, toString: 'own' })
  const change = edit(rows, 1, { text: 'B' })
  const next = applyChange(rows, change) ?? []
  t.same(toPatch(rows, change, next), [{ op: 'replace', path: '/scripts/1/text', value: 'B' }])
  t.same(next[1]?.record['odd/~key'], { deep: [1] })
  t.same(applyChange(next, inverse(change)), rows, 'undo brings back what was')
})

t.test('members that a record did not have are added, and removed again by undo', async (t) => {
  const rows = [newRow({ speaker: 'C', text: 'no time' })]
  const change = edit(rows, 0, { start_time: '00:00:09', 'a/b': 1 })
  const next = applyChange(rows, change) ?? []
  t.same(toPatch(rows, change, next), [
    { op: 'add', path: '/scripts/0/start_time', value: '00:00:09' },
    { op: 'add', path: '/scripts/0/a~1b', value: 1 },
  ])
  const back = applyChange(next, inverse(change)) ?? []
  t.same(toPatch(next, inverse(change), back), [
    { op: 'remove', path: '/scripts/0/start_time' },
    { op: 'remove', path: '/scripts/0/a~1b' },
  ])
})

t.test('a split and a merge are one patch each, and undo brings both records back', async (t) => {
  const rows = script('x', 'one two', 'three')
  const split = splitRow(rows, 1, rowAt(rows, 1), rowAt(rows, 1).record, 3)
  const parts = applyChange(rows, split) ?? []
  t.same(textsOf(parts), ['x', 'one', 'two', 'three'])
  t.same([parts[1]?.record.end_time, parts[2]?.record.start_time], ['00:00:03', '00:00:03'], 'in whole seconds')
  t.same(
    toPatch(rows, split, parts).map(({ op, path }) => `${op} ${path}`),
    ['replace /scripts/1/end_time', 'replace /scripts/1/text', 'add /scripts/2'],
  )
  const merge = mergeRows(parts, 1, rowAt(parts, 1), rowAt(parts, 1).record, rowAt(parts, 2))
  const one = applyChange(parts, merge) ?? []
  t.same(one, rows)
  t.same(textsOf(applyChange(one, inverse(merge))), ['x', 'one', 'two', 'three'])
})

t.test('a merge keeps the keys of both', async (t) => {
  const rows = [newRow(record('a', { mark: 1 })), newRow(record('b', { mark: 2, note: 'n', end_time: '00:00:09' }))]
  const merge = mergeRows(rows, 0, rowAt(rows, 0), rowAt(rows, 0).record, rowAt(rows, 1))
  t.match(applyChange(rows, merge)?.[0]?.record, { mark: 1, note: 'n', text: 'a b', end_time: '00:00:09' })
})

t.test('a split leaves emoji, flags and Hangul in parts whole', async (t) => {
  const family = '👨‍👩‍👧'
  for (const whole of [family, '🇰🇷', '😀', '한'.normalize('NFD'), 'é'.normalize('NFD')]) {
    const text = `ab${whole}cd`
    for (let caret = 2; caret < 2 + whole.length; caret++) t.equal(betweenCharacters(text, caret), 2, whole)
    t.equal(betweenCharacters(text, 2 + whole.length), 2 + whole.length)
  }
  const long = `${'x'.repeat(1_000_000)}😀`
  t.equal(betweenCharacters(long, 1_000_001), 1_000_000)
})

t.test('changes of different members of a record meet without loss, of the same one they do not', async (t) => {
  const rows = script('a', 'b')
  const mine = edit(rows, 0, { text: 'mine' })
  t.match(applyChange(withRecord(rows, 0, { speaker: 'C' }), mine)?.[0]?.record, { speaker: 'C', text: 'mine' })
  t.equal(applyChange(withRecord(rows, 0, { text: 'theirs' }), mine), undefined)
  t.same(textsOf(applyChange(withRecord(rows, 0, { text: 'mine' }), mine)), ['mine', 'b'], 'both typed the same')
  t.equal(applyChange(rows.slice(1), mine), undefined, 'the record was removed')
})

t.test('a removal meets a change of the same record, and another removal', async (t) => {
  const rows = script('a', 'b', 'c')
  const mine = removeRow(rows, 1, rowAt(rows, 1))
  t.equal(applyChange(withRecord(rows, 1, { text: 'theirs' }), mine), undefined)
  t.same(textsOf(applyChange([rowAt(rows, 0), rowAt(rows, 2)], mine)), ['a', 'c'])
})

t.test('a record goes below the one above it, wherever that is now', async (t) => {
  const rows = script('a', 'b', 'c')
  const mine = insertRow(rows, 2, newRow(record('new')))
  t.same(textsOf(applyChange([...script('x', 'y'), ...rows], mine)), ['x', 'y', 'a', 'b', 'new', 'c'])
  t.same(textsOf(applyChange(rows.slice(0, 1), mine)), ['a', 'new'], 'and as near as can be where that one is gone')
  t.same(textsOf(applyChange([], insertRow([], 0, newRow(record('first'))))), ['first'])
})

t.test('records of a later version keep their keys', async (t) => {
  const rows = script('a', 'b', 'c', 'd')
  const at = (index: number, text: string) => ({ index, record: record(text) })
  const changes = [
    { after: at(0, 'new') },
    { before: at(1, 'b'), after: at(2, 'B') },
    { before: at(2, 'c') },
    { after: at(4, 'last') },
  ]
  const later = laterRows(rows, { counts: { same: 2 }, changes }) ?? []
  t.same(textsOf(later), ['new', 'a', 'B', 'd', 'last'])
  t.same(
    later.map(({ key }) => rows.findIndex((row) => row.key === key)),
    [-1, 0, 1, 3, -1],
  )
  t.equal(laterRows(rows.slice(1), { counts: { same: 2 }, changes }), undefined, 'of another version')
})

t.test('times are read as the service reads them, and typed as people type them', async (t) => {
  t.equal(secondsOf('00:01:02.25'), 62.25)
  for (const odd of ['1:02', '00:61:00', '', null, 5, '00:00:01,5']) t.equal(secondsOf(odd), undefined)
  t.equal(timeOf(359_999.9996), '100:00:00')
  for (const [typed, time] of [
    ['1:02', '00:01:02'],
    ['1:2:3', '01:02:03'],
    ['0:05,5', '00:00:05.500'],
    ['75:00', '01:15:00'],
    ['00:00:01.123456', '00:00:01.123456'],
    ['1:75:00', '1:75:00'],
    ['soon', 'soon'],
  ] as const)
    t.equal(typedTime(typed), time)
})

t.test('who insists keeps of the other what was not typed here', async (t) => {
  const rows = script('a', 'b')
  const mine = edit(rows, 0, { text: 'mine' })
  const theirs = withRecord(rows, 0, { text: 'theirs', speaker: 'C' })
  t.match(applyChange(theirs, insisting(theirs, mine))?.[0]?.record, { text: 'mine', speaker: 'C' })
  const gone = rows.slice(1)
  t.same(textsOf(applyChange(gone, insisting(gone, mine))), ['mine', 'b'], 'a removed record comes back')
  const removal = removeRow(rows, 0, rowAt(rows, 0))
  t.same(textsOf(applyChange(theirs, insisting(theirs, removal))), ['b'])
})

t.test('changes of ours go on where somebody else saved, and what meets is kept for a decision', async (t) => {
  const open = createOpenScript()
  const rows = script('a', 'b', 'c')
  open.overtaken(1, rows)
  open.commit(edit(rows, 0, { text: 'A' }))
  open.commit(edit(rows, 2, { text: 'C' }))
  open.commit(edit(open.rows.value, 2, { text: 'CC' }))
  const theirs = [
    newRow(record('new')),
    rowAt(rows, 0),
    rowAt(rows, 1),
    { ...rowAt(rows, 2), record: record('theirs') },
  ]
  open.overtaken(2, theirs)
  t.same(textsOf(open.rows.value), ['new', 'A', 'b', 'theirs'])
  t.equal(open.pending.value.length, 1)
  t.same(
    open.conflicts.value.map(({ change }) => textsOf(change.after)),
    [['CC']],
    'two edits of one record are one conflict',
  )
  const [conflict] = open.conflicts.value
  if (conflict) open.settle(conflict, 'mine')
  t.same(textsOf(open.rows.value), ['new', 'A', 'b', 'CC'])
  t.ok(open.undo())
  t.same(textsOf(open.rows.value), ['new', 'A', 'b', 'theirs'])
  t.ok(open.redo())
  t.same(textsOf(open.rows.value), ['new', 'A', 'b', 'CC'])
})

t.test('undo leaves alone what somebody else has changed since', async (t) => {
  const open = createOpenScript()
  const rows = script('a', 'b')
  open.overtaken(1, rows)
  open.commit(edit(rows, 0, { text: 'A' }))
  open.saved(2, open.rows.value)
  open.overtaken(3, withRecord(open.rows.value, 0, { text: 'theirs' }))
  t.notOk(open.undo())
  t.same(textsOf(open.rows.value), ['theirs', 'b'])
  t.equal(open.pending.value.length, 0)
  t.notOk(open.canUndo.value)
})

t.test('what the service refuses is kept, and the other changes go on', async (t) => {
  const open = createOpenScript()
  const rows = script('a', 'b')
  open.overtaken(1, rows)
  open.commit(edit(rows, 0, { text: 'too long' }))
  open.commit(edit(rows, 1, { text: 'B' }))
  open.refused('why')
  t.same(textsOf(open.rows.value), ['a', 'B'])
  t.match(open.conflicts.value, [{ failure: 'why' }])
  t.equal(open.pending.value.length, 1)
})
