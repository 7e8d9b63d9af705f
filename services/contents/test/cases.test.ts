import { cases, erasures, outbox, sessions } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { contents, ids, invalid } from './support.ts'

const token = [401, { message: 'access token is invalid', error_code: 0 }]
const missing = (id: number) => [400, { message: `Case ${id} not found`, error_code: 2 }]
const day = (timeZone: string) => new Intl.DateTimeFormat('sv-SE', { timeZone }).format(new Date())

t.test('a case is created, read and replaced', async (t) => {
  const { call, db } = await contents(t)
  // The client sends this body.
  const sent = {
    id: null,
    given_name: '지우',
    family_name: '',
    description: { age: 7, gender: 'F' },
    user_id: null,
    session_count: null,
    start_date: null,
    updated_date: null,
    case_state_id: null,
  }
  const today = day('Asia/Seoul')
  const [status, created] = await call(7, 'POST', '', sent)
  t.equal(status, 200)
  const [row] = await db.select().from(cases)
  const id = row?.id ?? 0
  const whole = { ...sent, id, user_id: 7, session_count: 0, start_date: today, updated_date: today, case_state_id: 1 }
  t.strictSame(created, whole)
  t.strictSame(await call(7, 'GET', `/${id}`), [200, whole])
  t.strictSame(await call(7, 'GET', ''), [200, [whole]])

  const replaced = {
    ...whole,
    given_name: '민수',
    family_name: '김',
    description: { age: null, gender: '', note: [1, { a: 'b' }] },
  }
  t.strictSame(
    await call(7, 'PUT', `/${id}`, { ...replaced, id: 99, user_id: 8, start_date: '1999-01-01', session_count: 5 }),
    [200, replaced],
    'what a client may not write is ignored',
  )
  t.strictSame(await call(7, 'PUT', `/${id}`, { ...whole, case_state_id: 3 }), [200, { ...whole, case_state_id: 3 }])
  t.strictSame(
    await call(7, 'PUT', `/${id}`, { given_name: 'x' }),
    [200, { ...whole, given_name: 'x', family_name: null, description: { age: null, gender: '' }, case_state_id: 3 }],
    'it is the whole thing; only the state is kept',
  )
  t.match(await call(7, 'POST', '', { given_name: '', description: null, more: 'ignored' }), [
    200,
    { given_name: '', family_name: null, description: { age: null, gender: '' }, case_state_id: 1 },
  ])
  t.match(await call(7, 'POST', '', { given_name: 'y', id, case_state_id: 2 }), [200, { id: id + 2, case_state_id: 2 }])
  const stored = await db.select({ description: cases.description }).from(cases).where(eq(cases.id, id))
  t.strictSame(stored, [{ description: {} }])
})

t.test('invalid cases are refused', async (t) => {
  const { call, host, newCase } = await contents(t)
  const id = await newCase(7)
  const at = (key: string) => invalid(['body', key])
  for (const [method, path] of [
    ['POST', ''],
    ['PUT', `/${id}`],
  ] as const) {
    const send = (body: unknown) => call(7, method, path, body)
    t.match(await send({}), at('given_name'))
    t.match(await send({ given_name: null }), at('given_name'))
    t.match(await send({ given_name: 5 }), at('given_name'))
    t.match(await send({ given_name: 'x'.repeat(201) }), at('given_name'))
    t.match(await send({ given_name: 'a\0b' }), at('given_name'))
    t.match(await send({ given_name: 'x', family_name: 1 }), at('family_name'))
    t.match(await send({ given_name: 'x', case_state_id: 0 }), at('case_state_id'))
    t.match(await send({ given_name: 'x', case_state_id: 4 }), at('case_state_id'))
    t.match(await send({ given_name: 'x', case_state_id: '1' }), at('case_state_id'))
    for (const description of ['{}', 1, true, []]) {
      t.match(await send({ given_name: 'x', description }), at('description'))
    }
    t.match(await send({ given_name: 'x', description: { long: '가'.repeat(6_000) } }), at('description'))
    t.equal((await send({ given_name: 'x', description: { long: '가'.repeat(5_400) } }))[0], 200)
    t.match(await send({ given_name: 'x', description: { half: '\ud800' } }), invalid(['body', 'description', 'half']))
    t.match(await send({ given_name: 5, family_name: 5 }), invalid(['body', 'given_name'], ['body', 'family_name']))
    for (const body of ['', '{', '[]', 'null', '"x"', '{"__proto__":{},"given_name":"x"}', Buffer.from([0xff])]) {
      t.match(await send(body), invalid(['body']), `${body}`)
    }
    t.match(await send({ given_name: 'x'.repeat(1_100_000) }), [413, { error_code: 9 }])
    t.match(await call({ ...host.as(7), 'content-type': 'text/plain' }, method, path), [422, { error_code: 8 }])
  }
  t.match(await call(7, 'GET', `/${id}`), [200, { description: { long: /가/ } }])
})

t.test('a case belongs to its therapist', async (t) => {
  const { call, newCase, db } = await contents(t)
  const id = await newCase(7)
  const other = await newCase(8)
  const routes = [
    ['GET', `/${id}`],
    ['PUT', `/${id}`, { given_name: 'stolen' }],
    ['DELETE', `/${id}`],
  ] as const
  for (const [method, path, body] of routes) {
    t.strictSame(await call({}, method, path, body), token)
    t.strictSame(await call({ authorization: 'Bearer undefined' }, method, path, body), token)
    t.strictSame(await call(8, method, path, body), missing(id))
    // Ownership is checked before the input.
    if (body) t.strictSame(await call(8, method, path, '{'), missing(id))
  }
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/total-num'],
    ['POST', ''],
  ] as const) {
    t.strictSame(await call({}, method, path, method === 'POST' ? '{' : undefined), token)
  }
  t.same(ids(await call(7, 'GET', '')), [id])
  t.same(ids(await call(8, 'GET', '')), [other])
  t.same(ids(await call(9, 'GET', '')), [])
  t.match(await db.select().from(cases).where(eq(cases.id, id)), [{ givenName: '지우', userId: 7 }])
})

t.test('invalid ids are refused', async (t) => {
  const { call } = await contents(t)
  for (const text of ['NaN', '1.5', '1e3', '%20', 'undefined', '2147483648', '-2147483649', '99999999999999999999']) {
    t.match(await call(7, 'GET', `/${text}`), invalid(['path', 'case_id']), text)
    t.match(await call(7, 'DELETE', `/${text}`), invalid(['path', 'case_id']), text)
  }
  for (const id of [0, -1, 2_147_483_647, -2_147_483_648]) t.strictSame(await call(7, 'GET', `/${id}`), missing(id))
})

t.test('the list of cases has pages', async (t) => {
  const { call, db } = await contents(t)
  const total = (query = '') => call(7, 'GET', `/total-num${query}`)
  const list = (query = '') => call(7, 'GET', query)
  t.strictSame(await total(), [200, 1], 'an empty list has one page')
  t.strictSame(await list('?skip=0'), [200, []])
  t.strictSame(await list('?skip=0&limit=0'), [200, []])
  const insert = async (count: number) =>
    (
      await db
        .insert(cases)
        .values(Array.from({ length: count }, (_, n) => ({ userId: 7, givenName: `child ${n}` })))
        .returning({ id: cases.id })
    ).map(({ id }) => id)
  const all = await insert(10)
  t.strictSame(await total(), [200, 1])
  all.push(...(await insert(1)))
  t.strictSame(await total(), [200, 2])
  all.sort((a, b) => b - a)
  t.same(ids(await list()), all, 'newest first')
  t.same(ids(await list('?skip=0&limit=10')), all.slice(0, 10))
  t.same(ids(await list('?skip=10')), all.slice(10), 'the last page comes without a limit')
  t.same(ids(await list('?skip=3&limit=2')), all.slice(3, 5))
  t.same(ids(await list('?skip=11')), [])
  t.same(ids(await list('?limit=0')), [])
  t.same(ids(await list('?skip=007&limit=%2B2')), all.slice(7, 9))

  const range = (from: unknown, to: unknown) => [400, { message: `Invalid range ${from} to ${to}`, error_code: 4 }]
  t.strictSame(await list('?skip=0&limit=12'), range(0, 11))
  t.strictSame(await list('?limit=12'), range(0, 11))
  t.strictSame(await list('?skip=12'), range(12, 22))
  t.strictSame(await list('?skip=10&limit=2'), range(10, 11))
  t.strictSame(await list('?skip=-1'), range(-1, 9))
  t.strictSame(await list('?limit=-1'), range(0, -2))
  t.strictSame(await list('?skip=-1&limit=5'), range(-1, 3))
  const huge = '9'.repeat(60)
  t.strictSame(await list(`?skip=${huge}&limit=1`), range(huge, huge))
  t.strictSame(await list(`?limit=${huge}`), range(0, BigInt(huge) - 1n))
  for (const text of ['', '1.5', 'abc', '1e3', 'NaN', '0x1', '%201', 'undefined', '1_0', '--1']) {
    t.match(await list(`?skip=${text}`), invalid(['query', 'skip']), text)
    t.match(await list(`?limit=${text}`), invalid(['query', 'limit']), text)
  }
  t.match(await list('?skip=x&limit=y'), invalid(['query', 'skip'], ['query', 'limit']))
  for (const name of ['skip', 'limit', 'keyword']) {
    t.match(await list(`?${name}=1&${name}=1`), invalid(['query', name]), 'twice is not once')
  }
  t.match(await total('?keyword=a&keyword=b'), invalid(['query', 'keyword']))
})

t.test('a keyword finds cases', async (t) => {
  const { call, newCase } = await contents(t)
  const minsu = await newCase(7, { given_name: '민수', family_name: '김', description: { age: 7, gender: 'M' } })
  const anna = await newCase(7, {
    given_name: 'Anna Élodie',
    family_name: null,
    description: { memo: { at: ['School', 12.5] } },
  })
  const percent = await newCase(7, {
    given_name: '100%',
    family_name: 'a_b',
    description: { note: 'c\\d', told: true },
  })
  await newCase(8, { given_name: '민수', family_name: '김' })
  const find = async (keyword: string) => {
    const query = `?keyword=${encodeURIComponent(keyword)}`
    const found = ids(await call(7, 'GET', query))
    t.strictSame(await call(7, 'GET', `/total-num${query}`), [200, 1])
    t.strictSame(await call(7, 'GET', `${query}&limit=${found.length}`).then(ids), found)
    t.match(
      await call(7, 'GET', `${query}&limit=${found.length + 1}`),
      [400, { error_code: 4 }],
      'the count is filtered too',
    )
    return found
  }
  const all = [percent, anna, minsu]
  t.same(await find(''), all)
  t.same(await find('undefined'), all)
  t.same(ids(await call(7, 'GET', '?keyword')), all)
  t.same(await find('민수'), [minsu])
  t.same(await find('수'), [minsu])
  t.same(await find('김'), [minsu])
  t.same(await find('김민수'), [], 'each name by itself')
  t.same(await find('ANNA'), [anna])
  t.same(await find('éLOD'), [anna])
  t.same(await find('school'), [anna], 'values at any depth')
  t.same(await find('12.5'), [anna])
  t.same(await find('7'), [minsu])
  for (const key of ['age', 'gender', 'memo', 'note', 'true', 'null', '{', '"', ':', 'nul']) {
    t.same(await find(key), [], `${key} is a key or a mark, no value`)
  }
  t.same(await find('%'), [percent])
  t.same(await find('_'), [percent])
  t.same(await find('\\'), [percent])
  t.same(await find('c\\d'), [percent])
  t.same(await find('0%'), [percent])
  t.same(await find('a%'), [])
  t.same(await find("' or true --"), [])
  const beside = await newCase(7, {
    given_name: 'left',
    family_name: 'right',
    description: { a: 'one', b: ['two', 3, 'vier\u001ffive'], c: 'İstanbul STRASSE ΟΔΟΣ' },
  })
  // The search text joins all values; none of these keywords is inside a single value.
  for (const between of ['', ' ', '\n', '\t', '\u0001', '\u001e', '\u001f', '\u2028', '\uffff', '","']) {
    t.same(await find(`left${between}right`), [], encodeURIComponent(between))
    t.same(await find(`two${between}3`), [], encodeURIComponent(between))
  }
  for (const keyword of ['left', 'RIGHT', 'vier\u001fFIVE', 'strasse', 'οδοσ', 'istanbul'.slice(1)]) {
    t.same(await find(keyword), [beside], encodeURIComponent(keyword))
  }
  await call(7, 'PUT', `/${beside}`, { given_name: 'moved', description: { a: 'elsewhere' } })
  t.same(await find('vier'), [], 'a change counts at once')
  t.same(await find('elsewhere'), [beside])
  t.match(await call(7, 'GET', `?keyword=${'x'.repeat(201)}`), invalid(['query', 'keyword']))
  t.match(await call(7, 'GET', '?keyword=a%00'), invalid(['query', 'keyword']))
})

t.test('a keyword finds names and words however they were typed', async (t) => {
  const { call, newCase, newSession } = await contents(t)
  const mac = (text: string) => text.normalize('NFD')
  const composed = await newCase(7, { given_name: '김지우', description: { memo: '첫 만남' } })
  const apart = await newCase(7, {
    given_name: mac('김지우'),
    family_name: 'Σ',
    description: { memo: mac('첫\u00a0만남') },
  })
  const hidden = await newCase(7, { given_name: '김\u200b지\ufeff우', description: { memo: ['첫\r\n\u3000만남'] } })
  const session = await newSession(7, hidden, { name: mac('놀이\u2003치료') })
  const find = async (path: string, keyword: string) =>
    ids(await call(7, 'GET', `${path}?keyword=${encodeURIComponent(keyword)}`))
  for (const keyword of ['김지우', mac('김지우'), '지\u200b우', ' 김지우 ']) {
    t.same(await find('', keyword), [hidden, apart, composed], JSON.stringify(keyword))
  }
  for (const keyword of ['첫 만남', mac('첫\t만남'), '첫  만남']) {
    t.same(await find('', keyword), [hidden, apart, composed], JSON.stringify(keyword))
  }
  t.same(await find('', 'ς'), [apart], 'two forms of a small letter')
  t.same(await find('', '첫만남'), [], 'a space is not nothing')
  for (const keyword of ['놀이 치료', mac('놀이\u00a0치료'), '이\n치']) {
    t.same(await find(`/${hidden}/session`, keyword), [session], JSON.stringify(keyword))
  }
  t.match(await call(7, 'GET', `/${apart}`), [200, { given_name: mac('김지우') }], 'what was sent is kept')
})

t.test('dates are days in the time zone', async (t) => {
  const { call, db, newCase } = await contents(t)
  const id = await newCase(7)
  const set = (createdAt: string, updatedAt: string) =>
    db
      .update(cases)
      .set({ createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) })
      .where(eq(cases.id, id))
  await set('2026-02-28T14:59:59Z', '2026-02-28T15:00:00Z')
  t.match(await call(7, 'GET', `/${id}`), [200, { start_date: '2026-02-28', updated_date: '2026-03-01' }])
  t.match(await call(7, 'GET', ''), [200, [{ start_date: '2026-02-28', updated_date: '2026-03-01' }]])
  t.match(
    await call(7, 'PUT', `/${id}`, { given_name: 'x' }),
    [200, { start_date: '2026-02-28', updated_date: day('Asia/Seoul') }],
    'a change is dated today',
  )
  const honolulu = await contents(t, { timeZone: 'Pacific/Honolulu' })
  const there = await honolulu.newCase(7)
  await honolulu.db.update(cases).set({ createdAt: new Date('2026-03-01T09:59:00Z') })
  t.match(await honolulu.call(7, 'GET', `/${there}`), [200, { start_date: '2026-02-28' }])
})

t.test('a case is deleted with everything below it', async (t) => {
  const { call, db, host, newCase, newSession } = await contents(t)
  const id = await newCase(7)
  const kept = await newCase(7)
  const session = await newSession(7, id)
  await newSession(7, kept)
  t.match(await call(7, 'GET', ''), [200, [{ session_count: 1 }, { session_count: 1 }]])
  t.strictSame(await call({ ...host.as(7), 'content-type': 'application/json' }, 'DELETE', `/${id}`), [200, true])
  t.strictSame(await call(7, 'GET', `/${id}`), missing(id))
  t.strictSame(await call(7, 'GET', `/${id}/session/${session}`), missing(id))
  t.strictSame(await call(7, 'DELETE', `/${id}`), missing(id))
  t.same(ids(await call(7, 'GET', '')), [kept])
  t.same(await db.$count(sessions), 1)
  const tombstones = await db.select().from(erasures)
  t.match(tombstones, [{ caseId: id, sessionId: null }])
  t.equal(tombstones.length, 1)
  const announced = await db
    .select({
      name: outbox.name,
      payload: outbox.payload,
      hours: sql`extract(epoch from ${outbox.availableAt} - ${outbox.createdAt})::int / 3600`,
    })
    .from(outbox)
    .orderBy(outbox.availableAt)
  const payload = { erasure_id: tombstones[0]?.id }
  t.same(announced, [
    { name: 'erase', payload, hours: 0 },
    { name: 'erase', payload, hours: 25 },
  ])
})

t.test('one of twenty concurrent deletions of a case returns true', async (t) => {
  const { call, db, newCase } = await contents(t)
  const id = await newCase(7)
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(7, 'DELETE', `/${id}`)))
  t.equal(answers.filter(([status]) => status === 200).length, 1)
  t.equal(await db.$count(erasures), 1)
})

t.test('what a description holds comes back as it was sent, or is refused with its place', async (t) => {
  const { call, newCase } = await contents(t)
  const id = await newCase(7)
  const send = (description: string) =>
    call(7, 'PUT', `/${id}`, `{"given_name":"x","id":1e400,"description":${description}}`)
  const kept = ['9007199254740992', '-9007199254740991', '1e21', '0.30000000000000004', '1e308', '5e-324', '1.50', '-0']
  for (const number of kept) {
    t.match(await send(`{"n":${number}}`), [200, { description: { n: Number(number) + 0 } }], number)
  }
  for (const number of ['9007199254740993', '12345678901234567890', '1e400', '1e-400', '0.12345678901234567891']) {
    t.match(await send(`{"a":[{"n":${number}}]}`), invalid(['body', 'description', 'a', 0, 'n']), number)
  }
  t.match(await send('{"a":{"b":1,"b":2}}'), [200, { description: { a: { b: 2 } } }], 'of a key the last value counts')
  t.match(await send('{"a":["\\u0000"]}'), invalid(['body', 'description', 'a', 0]))
  t.match(await send('{"a":"\\ud83e"}'), invalid(['body', 'description', 'a']))
  t.match(await call(7, 'GET', `/${id}`), [200, { given_name: 'x', description: { a: { b: 2 } } }])
})
