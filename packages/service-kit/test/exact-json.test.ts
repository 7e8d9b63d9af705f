import { checkExact } from '@playtherapy/service-kit'
import t from 'tap'

const refused = (detail: object) => ({ status: 422, code: 8, detail: [detail] })

t.test('numbers that come back are taken, and others are refused with their place', async (t) => {
  const kept = [
    ...[
      '0',
      '-0',
      '0.0',
      '-0.0e5',
      '1',
      '-1',
      '1.0',
      '1.50',
      '100',
      '1e2',
      '1E+2',
      '1e-2',
      '0.1',
      '0.30000000000000004',
    ],
    ...['9007199254740991', '9007199254740992', '-9007199254740992', '9007199254740994', '1e21', '1e22', '123456e-3'],
    ...['1.7976931348623157e308', '5e-324', '2.2250738585072014e-308', '0.10000000000000001', '3.1415926535897931'],
    ...['100000000000000000000', '1000000000000000000000000.0'],
  ]
  for (const number of kept)
    t.doesNotThrow(() => checkExact(Buffer.from(`{"a":[0,{"b":${number}}]}`), ['body']), number)
  const changed = [
    ...[
      '9007199254740993',
      '-9007199254740993',
      '12345678901234567890',
      '12345678901234567168',
      '9007199254740993.0',
      '90071992547409930e-1',
    ],
    ...['1e400', '-1e400', '1e-400', '3.14159265358979323846', '9007199254740993.5', '123456789012345678901e-5'],
    ...[`1${'0'.repeat(400)}`, `0.${'0'.repeat(400)}1`, '9'.repeat(100_000), `1.${'0'.repeat(500_000)}1`],
  ]
  for (const number of changed) {
    t.throws(
      () => checkExact(Buffer.from(`{"a":[0,{"b":${number}}]}`), ['body']),
      refused({ loc: ['body', 'a', 1, 'b'], msg: /number/ }),
      number.slice(0, 40),
    )
  }
})

t.test('a key that is there twice is refused with its place', async (t) => {
  const bad: [text: string, loc: (string | number)[]][] = [
    ['{"a":1,"a":1}', ['a']],
    ['{"a":{"b":[{"c":"x,","\\u0063":{}}]}}', ['a', 'b', 0, 'c']],
    ['[{"a":1},{"a":[],"b":"}","a":2}]', [1, 'a']],
    ['{"":1,"":2}', ['']],
  ]
  for (const [text, loc] of bad) t.throws(() => checkExact(Buffer.from(text), []), refused({ loc }), text)
  const good = [
    '{"a":{"a":{"a":["a","a"]}},"b":"a"}',
    '[{"a":1},{"a":1}]',
    '{"a":"\\"a\\":1,\\"a\\":9007199254740993"}',
    '"x"',
    '1',
  ]
  for (const text of good) t.doesNotThrow(() => checkExact(Buffer.from(text), []), text)
  t.doesNotThrow(() => checkExact(Buffer.from('{"id":9007199254740993,"id":1}'), [], ([key]) => key !== 'id'))
})
