import { parseJson } from '@playtherapy/service-kit'
import t from 'tap'

const parse = (text: string | Uint8Array) => parseJson(Buffer.from(text), ['body'])
const refused = (detail: object) => ({ status: 422, code: 8, detail: [detail] })

t.test('values come through as JSON has them', async (t) => {
  for (const text of [
    '{"a":[1,-0.5e3,"\\ud83e\\uddf8 \\\\ \\" [[[{{{,,,",true,null]}',
    '0',
    '"x"',
    ' [ ] ',
    '{"":{}}',
  ]) {
    t.same(parse(text), JSON.parse(text), text)
  }
  t.same(parse('\ufeff{"a":1}'), { a: 1 }, 'a byte order mark is no part of it')
  t.same(parse('{"constructor":"a word","proto":"__proto__"}'), { constructor: 'a word', proto: '__proto__' })
  t.same(parse(`${'['.repeat(32)}${']'.repeat(32)}`), JSON.parse(`${'['.repeat(32)}${']'.repeat(32)}`))
})

t.test('what must not go further is refused with its place', async (t) => {
  const bad: [string | Uint8Array, object][] = [
    ['', { loc: ['body'], type: 'json_invalid' }],
    ['{"a":', { loc: ['body'], type: 'json_invalid' }],
    ['{"a":1}}', { loc: ['body'], type: 'json_invalid' }],
    ['"\\', { loc: ['body'], type: 'json_invalid' }],
    ['{"a":"\n"}', { loc: ['body'], type: 'json_invalid' }],
    [Buffer.from([0x22, 0xff, 0x22]), { loc: ['body'], msg: 'is not UTF-8' }],
    [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), { loc: ['body'], msg: 'is not UTF-8' }],
    ['{"a":{"b":["x","\\u0000"]}}', { loc: ['body', 'a', 'b', 1] }],
    ['{"a":"\\uD83E"}', { loc: ['body', 'a'] }],
    ['{"a":"\\uddf8\\ud83e"}', { loc: ['body', 'a'] }],
    ['{"a":{"\\u0000":1}}', { loc: ['body', 'a'] }],
    ['{"a":{"__proto__":1}}', { loc: ['body'] }],
    ['{"\\u005f_proto__":1}', { loc: ['body'] }],
    ['{"constructor":{"prototype":1}}', { loc: ['body'] }],
    [`${'['.repeat(33)}${']'.repeat(33)}`, { loc: ['body'], msg: /nested/ }],
    [`{"a":"]]]]\\"",${'"b":{'.repeat(33)}${'}'.repeat(33)}}`, { loc: ['body'], msg: /nested/ }],
    ['['.repeat(10_000_000), { loc: ['body'], msg: /nested/ }],
    [`[${'0,'.repeat(1_000_000)}0]`, { loc: ['body'], msg: /values/ }],
    [`[${'{},'.repeat(600_000)}0]`, { loc: ['body'], msg: /values/ }],
  ]
  for (const [text, detail] of bad) t.throws(() => parse(text), refused(detail), String(text).slice(0, 40))
  t.doesNotThrow(() => parse(JSON.stringify([','.repeat(2_000_000)])), 'commas in a text are no values')
})
