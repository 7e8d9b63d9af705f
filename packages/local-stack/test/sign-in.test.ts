/** The stand-in for the sign-in service, as the existing client uses it. */

import { contentsApp } from '@playtherapy/contents/app'
import { createFileStore } from '@playtherapy/object-store'
import { cases } from '@playtherapy/schema'
import { jwtSecret, testDatabase, testHost } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { signInApp } from '../src/sign-in/app.ts'
import { demoAccount, openAccounts } from '../src/sign-in/demo-account.ts'
import { tokenSigner } from '../src/tokens.ts'

const mina = {
  // What a form has to encode.
  email: 'mina+1@example.com',
  name: '미나',
  hashed_password: '비밀 번호+1&x=%20',
  birth_year: 1990,
  gender: 'F',
  highest_education_level_id: 4,
  years_of_experience: 3,
  user_type_id: 2,
  org_id: 1,
}

async function prepare(t: Test, before?: (db: Awaited<ReturnType<typeof testDatabase>>['db']) => Promise<unknown>) {
  const { db, as } = await testDatabase(t)
  await before?.(db)
  const demoId = await openAccounts(db, false)
  const store = createFileStore({ directory: t.testdir() })
  const sign = tokenSigner({ JWT_SECRET: jwtSecret })
  const host = await testHost(t, async (root) => {
    await root.register(signInApp, { prefix: '/auth/api', db, sign })
    await root.register(
      contentsApp({ db: as('contents'), store, phase: 'LOCAL', timeZone: 'Asia/Seoul', uploadLimit: 1 }),
    )
  })
  const ask = async (path: string, init: RequestInit) => {
    const response = await fetch(`${host.url}${path}`, init)
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) }
  }
  const signUp = (body: object) =>
    ask('/auth/api/signup', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const signIn = (username: string, password: string) =>
    ask('/auth/api/signin', { method: 'POST', body: new URLSearchParams({ username, password }) })
  const withToken = (method: string, path: string, token: string) =>
    ask(path, { method, headers: { authorization: `Bearer ${token}` } })
  return { ...host, db, demoId, ask, signUp, signIn, withToken }
}

t.test('a therapist signs up, signs in and sees an empty list of cases', async (t) => {
  const { signUp, signIn, withToken, withClaims, as } = await prepare(t)
  const made = await signUp({ ...mina, admin: true })
  t.equal(made.status, 200)
  const { hashed_password: _, ...rest } = mina
  t.equal(made.body.admin, undefined)
  t.match(made.body, { id: 2, ...rest, hashed_password: '', created_time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ })
  const { status, body } = await signIn(mina.email, mina.hashed_password)
  t.equal(status, 200)
  t.strictSame(Object.keys(body), ['access_token'])
  const cases = await withToken('GET', '/contents/api/case?keyword=', body.access_token)
  t.strictSame([cases.status, cases.body], [200, []])

  const claims = await withToken('POST', '/auth/api/verify', body.access_token)
  t.match(claims.body, { user_id: 2, user_email: mina.email, user_name: mina.name, user_type: 2 })
  t.equal(claims.body.exp - claims.body.iat, 86_400)
  const fresh = await withToken('POST', '/auth/api/refresh', body.access_token)
  t.equal(typeof fresh.body, 'string')
  t.match((await withToken('GET', '/auth/api/user', fresh.body)).body, { ...made.body })
  const odd = withClaims({ user_id: 2, user_email: 5 }).authorization.replace('Bearer ', '')
  t.equal((await withToken('POST', '/auth/api/refresh', odd)).status, 401, 'claims that are none')
  t.equal((await withToken('GET', '/auth/api/user', as(99).authorization.replace('Bearer ', ''))).status, 401)
})

t.test('what the form offers, and the demo account', async (t) => {
  const { ask, signIn, withToken } = await prepare(t)
  const { status, body } = await ask('/auth/api/config', {})
  t.equal(status, 200)
  t.strictSame(Object.keys(body), ['orgs', 'userTypes'])
  for (const each of [...body.orgs, ...body.userTypes]) t.strictSame(Object.keys(each), ['id', 'name'])
  t.ok(body.userTypes.length > 1, 'the client leaves out the first')
  const token = (await signIn(demoAccount.email, demoAccount.password)).body.access_token
  t.match((await withToken('GET', '/auth/api/user', token)).body, { id: 1, email: demoAccount.email })
})

t.test('the refusals that the client knows', async (t) => {
  const { signUp, signIn, withToken } = await prepare(t)
  await signUp(mina)
  const unknown = (email: string) => ({
    status: 404,
    body: { error_code: 0, message: `There is no information matching the user's email [${email}] and password.` },
  })
  t.match(await signIn(mina.email, 'wrong'), unknown(mina.email))
  t.match(await signIn(mina.email, ''), unknown(mina.email))
  t.match(await signIn('nobody@example.com', mina.hashed_password), unknown('nobody@example.com'))
  t.match(await signIn('a\0b@example.com', 'x'), { status: 404, body: { error_code: 0 } })
  const taken = { status: 400, body: { error_code: 1, message: `User email [MINA+1@example.com] already exist` } }
  t.match(await signUp({ ...mina, email: ' MINA+1@example.com' }), taken)
  for (const email of ['', 'mina', 'a@b@c', 'a b@c']) {
    t.match(await signUp({ ...mina, email }), {
      status: 400,
      body: { error_code: 0, message: `User email [${email}] is invalid` },
    })
  }
  for (const path of ['verify', 'refresh']) {
    t.match(await withToken('POST', `/auth/api/${path}`, 'undefined'), { status: 401, body: { error_code: 0 } })
  }
  t.match(await signIn(mina.email.toUpperCase(), mina.hashed_password.normalize('NFD')), { status: 200 })
})

t.test('a body that is no sign-up or no form is refused with its place', async (t) => {
  const { ask, signUp } = await prepare(t)
  const place = (...loc: string[]) => ({ status: 422, body: { error_code: 8, detail: [{ loc: ['body', ...loc] }] } })
  t.match(await signUp({ ...mina, name: '' }), place('name'))
  t.match(await signUp({ ...mina, hashed_password: undefined }), place('hashed_password'))
  t.match(await signUp({ ...mina, highest_education_level_id: 6 }), place('highest_education_level_id'))
  t.match(await signUp({ ...mina, name: 'x'.repeat(20_000) }), { status: 413, body: { error_code: 9 } })
  const signIn = (body: string, type: string) =>
    ask('/auth/api/signin', { method: 'POST', headers: { 'content-type': type }, body })
  t.match(await signIn('username=a', 'application/x-www-form-urlencoded'), place('password'))
  t.match(await signIn('x'.repeat(20_000), 'application/x-www-form-urlencoded'), {
    status: 413,
    body: { error_code: 9 },
  })
  t.match(await signIn(JSON.stringify({ username: 'a', password: 'b' }), 'text/plain'), { status: 422 })
})

t.test('guessing a password ends in 429, and only for that email', async (t) => {
  const { signUp, signIn } = await prepare(t)
  await signUp(mina)
  for (let attempt = 0; attempt < 20; attempt++) t.equal((await signIn(mina.email, `${attempt}`)).status, 404)
  const refused = await signIn(mina.email, mina.hashed_password)
  t.match(refused, { status: 429, body: { error_code: 10 } })
  t.ok(Number(refused.headers.get('retry-after')) > 0)
  t.equal((await signIn(demoAccount.email, demoAccount.password)).status, 200)
})

t.test('of sign-ups at once with one email one succeeds, and ids are given out once', async (t) => {
  const { signUp } = await prepare(t)
  const same = await Promise.all([1, 2, 3, 4].map(() => signUp(mina)))
  t.strictSame(same.map(({ status }) => status).sort(), [200, 400, 400, 400])
  const others = await Promise.all([1, 2, 3, 4].map((n) => signUp({ ...mina, email: `${n}@example.com` })))
  t.strictSame(others.map(({ body }) => body.id).sort(), [3, 4, 5, 6])
})

t.test('nobody who signs up becomes a therapist who has cases', async (t) => {
  const { signUp } = await prepare(t, async (db) => {
    for (const userId of [2, 3, 2_147_483_647]) await db.insert(cases).values({ userId, givenName: 'Mina' })
  })
  t.equal((await signUp(mina)).body.id, 4)
})

t.test('in the database of an installation the demo account reads no case of a therapist', async (t) => {
  const { db, demoId, signIn, withToken } = await prepare(t, async (db) => {
    for (const userId of [1, 2]) await db.insert(cases).values({ userId, givenName: 'Mina' })
  })
  const token = (await signIn(demoAccount.email, demoAccount.password)).body.access_token
  t.strictSame((await withToken('GET', '/contents/api/case', token)).body, [])
  t.equal(demoId, 3)
  await db.insert(cases).values({ userId: demoId, givenName: '지우' })
  t.equal(await openAccounts(db, false), demoId, 'a later start keeps it')
})
