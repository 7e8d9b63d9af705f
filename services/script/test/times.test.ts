import { parseTime, recordTime } from '@playtherapy/versions/records'
import t from 'tap'
import { timeWarnings } from '../src/records/warnings.ts'

const isOdd = (start_time: unknown) => timeWarnings([{ speaker: 'T', text: '', start_time }], null).length > 0

t.test('times are read to the millisecond', async (t) => {
  t.same(
    ['00:00:00', '00:00:01.5', '01:02:03.004', '00:00:00.0004', '00:00:00.9996', '99:59:59.999999', '100:00:00'].map(
      parseTime,
    ),
    [0, 1500, 3_723_004, 0, 1000, 360_000_000, 360_000_000],
  )
  const odd = [
    '1:02',
    '00:60:00',
    '00:00:60',
    '00:00:01.',
    '00:00:01,5',
    ' 00:00:01',
    '00:00:01\n',
    '-00:00:01',
    12,
    {},
    [],
    true,
  ]
  t.ok(odd.every((value) => parseTime(value) === undefined && isOdd(value)))
  t.ok(['', null, undefined].every((value) => parseTime(value) === undefined && !isOdd(value)))
})

t.test('every millisecond is written in the form that is read', async (t) => {
  for (let ms = 0; ms < 400_000_000; ms += 99_991) {
    if (parseTime(recordTime(ms)) !== ms) t.fail(`${ms} became ${recordTime(ms)}`)
  }
  t.same([0, 1, 60_000, 360_000_010].map(recordTime), ['00:00:00', '00:00:00.001', '00:01:00', '100:00:00.010'])
})

t.test('doubtful times are recorded by record, field and kind', async (t) => {
  const said = { speaker: 'T', text: '' }
  const records = [
    { ...said, start_time: '00:00:10', end_time: '00:00:12' },
    { ...said, start_time: '', end_time: null },
    { ...said, start_time: 'Invalid Date', end_time: 12 },
    { ...said, start_time: '00:00:09.999', end_time: '00:00:09' },
    { ...said, end_time: '00:01:02' },
    { ...said, start_time: '00:01:01', end_time: '00:01:01' },
    { ...said, start_time: '00:01:01.001', end_time: '00:01:02.5' },
    { ...said, start_time: '00:00:20', end_time: '00:00:21' },
    { ...said, start_time: '00:00:20', end_time: '00:00:20' },
  ]
  const odd = [
    { record: 2, field: 'start_time', kind: 'odd' },
    { record: 2, field: 'end_time', kind: 'odd' },
    { record: 3, field: 'start_time', kind: 'order' },
    { record: 3, field: 'end_time', kind: 'order' },
  ]
  const stray = { record: 7, field: 'start_time', kind: 'order' }
  t.same(timeWarnings(records, null), [...odd, stray])
  t.same(timeWarnings(records, '00:01:00'), [
    ...odd,
    { record: 4, field: 'end_time', kind: 'beyond' },
    { record: 6, field: 'start_time', kind: 'beyond' },
    { record: 6, field: 'end_time', kind: 'beyond' },
    stray,
  ])
  t.same(timeWarnings([], '00:00:00'), [])
  t.same(timeWarnings(Array(200).fill({ ...said, start_time: 1, end_time: 1 }), null).length, 100)
})
