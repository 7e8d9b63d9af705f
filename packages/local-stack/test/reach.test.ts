import t from 'tap'
import { reach } from '../src/reach.ts'

const failing = (error: unknown) => reach('The store', 'http://user:secret@127.0.0.1:9000/path', Promise.reject(error))

t.test('a server that cannot be used is named with its address and its own words', async (t) => {
  const refused = new Error('connect ECONNREFUSED 127.0.0.1:9000')
  const reasons: [error: unknown, reason: string][] = [
    [refused, 'connect ECONNREFUSED 127.0.0.1:9000'],
    [new AggregateError([refused, new Error('the other address')]), 'connect ECONNREFUSED 127.0.0.1:9000'],
    [
      new Error('Failed query: select 1', { cause: new Error('password authentication failed') }),
      'password authentication failed',
    ],
    [new Error('Slots are not served.\nThey are not.\n'), 'Slots are not served'],
    [new TypeError(), 'TypeError'],
    [
      Object.assign(new Error('UnknownError'), { $metadata: { httpStatusCode: 403 } }),
      'it answered with the status 403',
    ],
  ]
  for (const [error, reason] of reasons) {
    await t.rejects(failing(error), { message: `The store at 127.0.0.1:9000 cannot be used: ${reason}.` })
  }
  t.equal(await reach('The store', 'http://127.0.0.1', Promise.resolve(7)), 7)
})
