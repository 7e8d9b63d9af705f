import { type ScriptRecord, toVtt } from '@playtherapy/versions/records'
import { array, assert as check, constantFrom, oneof, property, record, string } from 'fast-check'
import t from 'tap'
import { toSrt } from '../src/export/srt.ts'
import { captionsText } from '../src/import/lines.ts'
import { fromSrt } from '../src/import/srt.ts'
import { fromVtt } from '../src/import/vtt.ts'

const place = ['body', 'script']
const again = {
  vtt: (records: ScriptRecord[]) => fromVtt(captionsText(Buffer.from([...toVtt(records)].join('')), place), place),
  srt: (records: ScriptRecord[]) => fromSrt(captionsText(Buffer.from([...toSrt(records)].join('')), place), place),
}

/** What captions mean beside words, and what we mark it with. */
const parts = [
  ...['\n', '\n\n', '\r\n', ' ', '\t', '\u00a0', '\u3000', '\u2060', '\u200b', '\ufeff', 'a', '안녕', '🧸', '2', '-'],
  ...['00:00:01,000 --> 00:00:02,000', '00:01.000 --> 00:02.000', '-->', '--', '>', '>>', 'WEBVTT', 'NOTE', 'STYLE'],
  ...[
    'T: ',
    'C: ',
    '[T]: ',
    '- T: ',
    '지우： ',
    ':',
    '：',
    '[',
    ']',
    'x'.repeat(41),
    '<',
    '</',
    '<v T>',
    '</v>',
    '<c.x>',
  ],
  ...[
    '<b>',
    '<b ',
    '<br>',
    '<i/>',
    '<00:01.000>',
    '{',
    '{\\an8}',
    '{\\',
    '}',
    '{y:i}',
    '&',
    '&amp;',
    '&lt;b&gt;',
    '#65;',
  ],
]
const text = oneof(
  array(constantFrom(...parts), { maxLength: 12 }).map((some) => some.join('')),
  string({ unit: 'grapheme' }).map((some) => some.replaceAll('\0', '')),
)
const records = array(record({ speaker: text, text }), { maxLength: 4 }).map((some) =>
  some.map((one) => ({ start_time: '00:00:01', end_time: '00:00:02', ...one })),
)

/** What captions can hold: text without white space around it, one kind of line break, and a speaker on one line. */
const held = (sent: ScriptRecord[]) =>
  sent.flatMap((one) => {
    const [speaker, said] = [one.speaker.replace(/\s+/g, ' ').trim(), one.text.replace(/\r\n|[\r\u2028\u2029]/g, '\n')]
    return said.trim() ? [{ ...one, speaker, text: said.trim() }] : []
  })

for (const [format, read] of Object.entries(again))
  t.test(`any script comes back from ${format} word for word`, async (t) => {
    const comesBack = property(records, (sent) => JSON.stringify(read(sent)) === JSON.stringify(held(sent)))
    t.doesNotThrow(() => check(comesBack, { numRuns: 3000 }))
  })
