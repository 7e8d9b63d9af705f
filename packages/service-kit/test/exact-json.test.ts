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

t.test('the place of a number is told by keys and indexes, and texts are no numbers', async (t) => {
  const big = '9007199254740993'
  const bad: [text: string, loc: (string | number)[]][] = [
    [big, []],
    [`[0,{},"x,",[],${big}]`, [4]],
    [`{"a":{"b":[{"c":"x,{","\\u0063\\"":${big}}]}}`, ['a', 'b', 0, 'c"']],
    [`[{"a":1},{"a":[],"b":"}\\\\","가":${big}}]`, [1, '가']],
    [`{"":-${big}}`, ['']],
  ]
  for (const [text, loc] of bad) t.throws(() => checkExact(Buffer.from(text), []), refused({ loc }), text)
  const good = [`{"a":"\\"a\\":1,\\"a\\":${big}","${big}":true}`, `"${big}"`, '1', '{"a":1,"a":2}']
  for (const text of good) t.doesNotThrow(() => checkExact(Buffer.from(text), []), text)
  const parts = Buffer.from(`{"id":[${big}],"a":{"id":1,"b":[{"a":2}]},"c":${big}}`)
  t.doesNotThrow(() => checkExact(parts, [], 'a'), 'nothing else is stored')
  t.throws(() => checkExact(parts, [], 'c'), refused({ loc: ['c'] }))
})

t.test('long texts and many numbers cost little', async (t) => {
  for (const some of ['x', '\\n', '\\"', '가']) {
    t.doesNotThrow(() => checkExact(Buffer.from(`{"a":"${some.repeat(5_000_000)}"}`), []), some)
  }
  const ignored = Buffer.from(`{"a":[${'1234567.123456789,'.repeat(58_000)}1],"b":1}`)
  const before = process.cpuUsage()
  for (let body = 0; body < 10; body++) checkExact(ignored, [], 'b')
  const { user } = process.cpuUsage(before)
  t.ok(user < 1_000_000, `${user} µs of the processor for ten megabytes that are not stored`)
})
