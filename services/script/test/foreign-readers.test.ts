import { parse } from 'csv-parse/sync'
import { array, asyncProperty, assert as check, constantFrom, oneof, property, record, string } from 'fast-check'
import { readSheet } from 'read-excel-file/node'
import t from 'tap'
import { toCsv } from '../src/export/csv.ts'
import { toXlsx } from '../src/export/xlsx.ts'

/** Texts that break tables: quotes, separators, line breaks, signs of formulas and what may precede them. */
const parts = [
  '"',
  ',',
  ';',
  '\n',
  '\r',
  '\r\n',
  '\t',
  ' ',
  '\u2028',
  '\u2029',
  '\u0085',
  '\ufeff',
  '\u200b',
  '\u00a0',
  '=',
  '+',
  '-',
  '@',
  '＝',
  "'",
  "=cmd|' /C calc'!A0",
  '=HYPERLINK("http://x")',
  '안녕',
  '🧸',
  '\u0001',
  '\ufffd',
  '\ufdd0',
  '\u{1fffe}',
  '_x0041_',
  '<b>',
  '&amp;',
  'a',
]
const text = oneof(
  array(constantFrom(...parts), { maxLength: 6 }).map((some) => some.join('')),
  string({ unit: 'grapheme' }).map((some) => some.replaceAll('\0', '')),
)
const records = array(record({ start_time: text, end_time: text, speaker: text, text }), { maxLength: 8 })
const cells = ({ start_time, end_time, speaker, text: said }: Record<string, unknown>) => [
  start_time,
  end_time,
  speaker,
  said,
]

/** Whether Excel, LibreOffice or Google Sheets may run a cell as a formula. */
const runs = (cell: string) => /^[\t\r]|^[=+\-@＝＋－＠]/.test(cell.replace(/^[\s\p{C}]+(?=[=+\-@＝＋－＠])/u, ''))

t.test('other programs read CSV unchanged, and no cell is a formula', async (t) => {
  const rows = (some: Parameters<typeof toCsv>[0]) =>
    parse([...toCsv(some)].join(''), { bom: true, record_delimiter: '\r\n' })
  check(
    property(records, (some) => {
      const [, ...back]: string[][] = rows(some)
      const sent = some.map(cells)
      const unmarked = back.map((row, r) =>
        row.map((cell, c) => (cell === `'${sent[r]?.[c]}` && runs(String(sent[r]?.[c])) ? sent[r]?.[c] : cell)),
      )
      return JSON.stringify(unmarked) === JSON.stringify(sent) && back.flat().every((cell) => !runs(cell))
    }),
    { numRuns: 500 },
  )
  t.same(rows([{ speaker: 'T', text: "x\n=cmd|' /C calc'!A0" }]).slice(1), [['', '', 'T', "x\n=cmd|' /C calc'!A0"]])
  t.match(
    [
      ...toCsv([
        { speaker: 'T', text: 'a\nb' },
        { speaker: 'C', text: 'a\rb' },
      ]),
    ].join(''),
    'T,"a\nb"\r\n,,C,"a\rb"\r\n',
  )
})

t.test('a text too long for a cell continues below, and is no formula there', async (t) => {
  const long = `${'x'.repeat(16_000)}=1+1${'y'.repeat(16_000)}`
  const [, ...rows] = parse([...toCsv([{ speaker: long, text: `${long}z` }])].join(''), { bom: true })
  t.same(
    rows.map(([, , speaker, text]: string[]) => [speaker?.slice(0, 3), text?.slice(0, 3)]),
    [
      ['xxx', 'xxx'],
      ["'=1", "'=1"],
      ['yyy', 'yyy'],
    ],
  )
})

t.test('other programs read XLSX unchanged', async () => {
  const held = (value: unknown) => String(value)
  await check(
    asyncProperty(records, async (sent) => {
      // The library skips rows without text.
      const some = sent.map((one) => ({ ...one, start_time: '00:00:01' }))
      const [, ...back] = await readSheet(await toXlsx(some), { trim: false })
      const shown = back.map((row) => cells(some[0] ?? {}).map((_, c) => held(row[c] ?? '')))
      return JSON.stringify(shown) === JSON.stringify(some.map((one) => cells(one).map(held)))
    }),
    { numRuns: 60 },
  )
})
