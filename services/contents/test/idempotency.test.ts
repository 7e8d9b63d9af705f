import { cases, idempotencyKeys, sessions } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { contents, ids } from './support.ts'

const reused = [
  422,
  {
    message: 'The request is not valid',
    error_code: 8,
    detail: [{ loc: ['header', 'idempotency-key'], msg: 'was sent before with another body', type: 'value_error' }],
  },
]

for (const what of ['case', 'session'] as const) {
  t.test(`a ${what} is created once, however often its request is sent`, async (t) => {
    const { call, db, host, newCase } = await contents(t)
    const own = await newCase(7)
    const other = await newCase(7)
    const table = what === 'case' ? cases : sessions
    const path = what === 'case' ? '' : `/${own}/session`
    const body = (name: string) => (what === 'case' ? { given_name: name } : { data: { name } })
    const post = (key: string, name = '지우', userId = 7, to = path) =>
      call({ ...host.as(userId), 'idempotency-key': key }, 'POST', to, body(name))
    const before = await db.$count(table)
    const created = async () => (await db.$count(table)) - before

    const first = await post('k1')
    t.match(first, [200, what === 'case' ? { given_name: '지우' } : { name: '지우' }])
    t.strictSame(await post('k1'), first, 'the same answer again')
    t.equal(await created(), 1)
    t.strictSame(await post('k1', 'another'), reused)
    t.strictSame(await post('k1'), first, 'the refused request changes nothing')
    t.equal(await created(), 1)
    const keyless = await call(7, 'POST', path, body('지우'))
    t.notSame(keyless, first)
    t.notSame(await post('k2'), first)
    t.equal(await created(), 3)

    t.match(await post('k3', 'x'.repeat(201)), [422, { error_code: 8 }], 'a refused body leaves no key')
    t.match(await post('k3', 'x'), [200, {}])
    t.equal(await created(), 4)

    const same = await Promise.all(Array.from({ length: 20 }, () => post('at once')))
    for (const answer of same) t.strictSame(answer, same[0])
    t.equal(await created(), 5, 'twenty at once create one')
    const mixed = await Promise.all(Array.from({ length: 20 }, (_, n) => post('mixed', `name ${n}`)))
    t.equal(mixed.filter(([status]) => status === 200).length, 1)
    for (const answer of mixed.filter(([status]) => status !== 200)) t.strictSame(answer, reused)
    t.equal(await created(), 6)

    await db.update(idempotencyKeys).set({ createdAt: sql`now() - interval '25 hours'` })
    const later = await post('k1', 'a day later')
    t.match(later, [200, {}])
    t.notSame(later, first)
    t.strictSame(await post('k1', 'a day later'), later)
    t.equal(await created(), 7)

    if (what === 'session') {
      const elsewhere = await post('k1', 'a day later', 7, `/${other}/session`)
      t.match(elsewhere, [200, { case_id: other }], 'a key belongs to one path')
      t.match(await post('k1', 'a day later', 8), [400, { error_code: 2 }])
    } else t.match(await post('k1', 'a day later', 8), [200, { user_id: 8 }], 'a key belongs to one therapist')
  })
}

t.test('a key is any text of 1 to 255 characters', async (t) => {
  const { call, host } = await contents(t)
  const post = (key: string) => call({ ...host.as(7), 'idempotency-key': key }, 'POST', '', { given_name: 'a' })
  t.match(await post(''), [422, { detail: [{ loc: ['header', 'idempotency-key'] }] }])
  t.match(await post('k'.repeat(256)), [422, { detail: [{ loc: ['header', 'idempotency-key'] }] }])
  const answers = []
  for (const key of [
    'k'.repeat(255),
    '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
    '8e03978e',
    "' or true --",
    '%',
    '\u00e9',
  ]) {
    const first = await post(key)
    t.match(first, [200, {}], key)
    t.strictSame(await post(key), first, key)
    answers.push(first)
  }
  t.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, answers.length, 'all keys differ')
})

t.test('a key contains nothing that the client sent, and is deleted with its case or session', async (t) => {
  const { call, db, host, newCase } = await contents(t)
  const keyed = { ...host.as(7), 'idempotency-key': 'Kim Jiu' }
  const [id = 0] = ids(await call(keyed, 'POST', '', { given_name: 'Jiu' }).then(([status, made]) => [status, [made]]))
  const kept = await newCase(7)
  for (const to of [id, kept]) await call(keyed, 'POST', `/${to}/session`, { data: { name: 'Jiu' } })
  t.equal(await db.$count(idempotencyKeys), 3)
  t.notMatch(JSON.stringify(await db.select().from(idempotencyKeys)), /jiu/i)
  t.strictSame(await call(7, 'DELETE', `/${id}`), [200, true])
  t.match(await db.select().from(idempotencyKeys), [{ caseId: null }], 'only the key of the other session is left')
  const [session] = await db.select().from(sessions)
  t.strictSame(await call(7, 'DELETE', `/${kept}/session/${session?.id}`), [200, true])
  t.equal(await db.$count(idempotencyKeys), 0)
})

t.test('CORS allows a browser to send the header', async (t) => {
  const { host } = await contents(t)
  const response = await fetch(`${host.url}/contents/api/case`, {
    method: 'OPTIONS',
    headers: {
      origin: 'http://localhost:3000',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key',
    },
  })
  t.match(response.headers.get('access-control-allow-headers'), /idempotency-key/i)
})
