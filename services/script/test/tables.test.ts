import { type ScriptRecord, toText as textOf } from '@playtherapy/versions/records'
import { parse } from 'csv-parse/sync'
import { readSheet } from 'read-excel-file/node'
import t from 'tap'
import * as csv from '../src/export/csv.ts'
import { exportFormats } from '../src/export/formats.ts'
import { toXlsx } from '../src/export/xlsx.ts'

const toCsv = (records: ScriptRecord[]) => [...csv.toCsv(records)].join('')
const toText = (records: ScriptRecord[]) => [...textOf(records)].join('')

const header = ['start_time', 'end_time', 'speaker', 'text']
const talk: ScriptRecord[] = [
  { start_time: '00:00:01.234', end_time: '01:59:59', speaker: 'T', text: '오늘은 "무엇"을, 하고 싶니?' },
  { start_time: 'Invalid Date', end_time: null, speaker: 'C', text: ' two\nlines 🧸 <b>&amp; ' },
  { start_time: 12, end_time: { a: 1 }, speaker: '', text: '' },
]
const cells = talk.map(({ speaker, text }, index) => [
  ...(index === 0 ? ['00:00:01.234', '01:59:59'] : index === 1 ? ['Invalid Date', ''] : ['12', '']),
  speaker,
  text,
])
const said = (text: string): ScriptRecord => ({ start_time: '00:00:01', end_time: '00:00:02', speaker: 'T', text })

t.test('CSV is read back unchanged, and marked as UTF-8 for Excel', async (t) => {
  const file = toCsv(talk)
  t.ok(
    Buffer.from(file)
      .subarray(0, 3)
      .equals(Buffer.from([0xef, 0xbb, 0xbf])),
  )
  t.same(parse(file, { bom: true }), [header, ...cells])
  t.ok(
    file.startsWith(
      '\ufeffstart_time,end_time,speaker,text\r\n00:00:01.234,01:59:59,T,"오늘은 ""무엇""을, 하고 싶니?"\r\n',
    ),
  )
  t.equal(toCsv([]), '\ufeffstart_time,end_time,speaker,text\r\n')
})

t.test('no cell of CSV is a formula', async (t) => {
  const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '＝1', '=cmd|"/c calc"!A1']
  const rows = parse(toCsv(formulas.map((text) => ({ start_time: text, speaker: text, text }))), { bom: true })
  t.same(
    rows.slice(1),
    formulas.map((text) => [`'${text}`, '', `'${text}`, `'${text}`]),
  )
})

t.test('XLSX contains all texts, and nothing else', async (t) => {
  const long = '가😀'.repeat(20_000)
  const sheet = await readSheet(await toXlsx([...talk, said('=1+1'), said(long), said('12')]))
  const shown = sheet.map((row) => row.map((cell) => cell ?? ''))
  t.same(shown.slice(0, 5), [
    header,
    ...cells.map((row) => row.map((cell, index) => (index === 3 ? cell.trim() : cell))),
    ['00:00:01', '00:00:02', 'T', '=1+1'],
  ])
  const parts = shown.slice(5, -1)
  t.same(
    parts.map((row) => row.slice(0, 3).join()),
    ['00:00:01,00:00:02,T', ',,', ',,'],
  )
  t.equal(parts.map((row) => row[3]).join(''), long)
  t.ok(parts.every((row) => String(row[3]).length <= 32_767))
  t.same(shown.at(-1), ['00:00:01', '00:00:02', 'T', '12'], 'a text of digits stays a text')
  const [, escaped] = await readSheet(await toXlsx([said('_x0041_x000D_ _x41_')]))
  t.equal(escaped?.[3], '_x0041_x000D_ _x41_', 'what looks like a character by number is none')
  t.same(await readSheet(await toXlsx([])), [header])
})

t.test('plain text has a line for each record', async (t) => {
  t.equal(toText(talk), '[00:00:01] T: 오늘은 "무엇"을, 하고 싶니?\nC: two lines 🧸 <b>&amp;\n\n')
  t.equal(toText([said(`a${' '.repeat(100_000)}b\r\n \u2028 c`)]), `[00:00:01] T: a${' '.repeat(100_000)}b c\n`)
  t.equal(toText([]), '')
})

t.test('tables of 100,000 records are written', async (t) => {
  const many = Array.from({ length: 100_000 }, (_, index) => said(`안녕 ${index}`))
  t.equal(toText(many).split('\n').length, 100_001)
  t.equal(toCsv(many).split('\r\n').length, 100_002)
  t.equal(
    Buffer.from(await toXlsx(many))
      .subarray(0, 2)
      .toString(),
    'PK',
  )
})

t.test('every export format has its media type', async (t) => {
  for (const [suffix, { type, write }] of Object.entries(exportFormats)) {
    t.match(type, /^[a-z]+\/[a-z.-]+(; [a-z]+=[a-z0-9-]+)*$/, suffix)
    const written = await write(talk)
    t.ok(written instanceof Uint8Array || [...written].join('').includes('오늘은'), suffix)
  }
})
