import { cases } from '@playtherapy/schema'
import { guardAccess, requireTherapist } from '@playtherapy/service-kit'
import { testDatabase, testHost } from '@playtherapy/testing'
import t from 'tap'

t.test('a route behind token and guard', async (t) => {
  const { db } = await testDatabase(t)
  const [row] = await db.insert(cases).values({ userId: 7, givenName: 'A' }).returning()
  const host = await testHost(t, async (app) => {
    app.addHook('onRequest', requireTherapist)
    app.addHook('onRequest', guardAccess(db))
    app.get('/case/:case_id', (request) => ({ user: request.userId, case: request.caseId }))
    app.get('/fails', () => {
      throw new Error('secret')
    })
    app.post('/echo', (request) => request.body)
  })
  const get = async (path: string, headers = {}, init = {}) => {
    const response = await fetch(host.url + path, { headers, ...init })
    return [response.status, await response.json()]
  }
  t.same(await get(`/case/${row?.id}`, host.as(7)), [200, { user: 7, case: row?.id }])
  t.same(await get(`/case/${row?.id}`, host.as(8)), [400, { message: `Case ${row?.id} not found`, error_code: 2 }])
  t.match(await get('/case/NaN', host.as(8)), [422, { error_code: 8, detail: [{ loc: ['path', 'case_id'] }] }])
  const invalid = [401, { message: 'access token is invalid', error_code: 0 }]
  t.same(await get('/case/1'), invalid)
  t.same(await get('/case/1', { authorization: 'Bearer undefined' }), invalid)
  t.same(await get('/case/1', host.withClaims({ user_id: 7, exp: 1 })), invalid)
  t.same(await get('/case/1', host.withClaims({ user_id: 0 })), invalid)
  t.same(await get('/case/1', host.withClaims({ user_id: '7' })), invalid)
  t.same(await get('/case/1', host.withClaims({ user_id: 7, exp: undefined })), invalid)
  t.match(await get('/fails', host.as(7)), [500, { error_code: 500, message: /our side/, request_id: String }])
  t.match(await get('/nowhere'), [404, { error_code: 404 }])
  const post = (body: string, type = 'application/json') =>
    get('/echo', { ...host.as(7), 'content-type': type }, { method: 'POST', body })
  t.same(await post('{"a":[1]}'), [200, { a: [1] }])
  t.match(await post('{"a":'), [422, { error_code: 8, detail: [{ loc: ['body'], type: 'json_invalid' }] }])
  t.match(await post('{"a":{"b":"\\u0000"}}'), [422, { error_code: 8, detail: [{ loc: ['body', 'a', 'b'] }] }])
  t.match(await post('{"__proto__":{}}'), [422, { error_code: 8 }])
  t.match(await post('x', 'text/plain'), [422, { error_code: 8 }])
  t.match(await post('{}', 'application/json; charset=utf-16'), [422, { error_code: 8 }])
  t.match(await post('['.repeat(100_000) + ']'.repeat(100_000)), [422, { error_code: 8 }])
  t.match(await post(JSON.stringify('x'.repeat(2_000_000))), [413, { error_code: 9 }])
  const page = await fetch(`${host.url}/documentation/json`)
  t.match(await page.json(), { openapi: '3.1.0' })
})
