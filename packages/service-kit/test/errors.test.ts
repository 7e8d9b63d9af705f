import { Readable } from 'node:stream'
import { loggable } from '@playtherapy/service-kit'
import t from 'tap'
import { Type } from 'typebox'
import { startHost } from './support.ts'

t.test('an unexpected error becomes a response that tells nothing about it', async (t) => {
  const thrown: Record<string, unknown> = {
    error: new Error('secret of a child'),
    text: 'secret of a child',
    nothing: undefined,
    null: null,
    object: { statusCode: 200, message: 'secret of a child' },
    status: Object.assign(new Error('secret of a child'), { statusCode: 502 }),
    odd: Object.assign(new Error('secret of a child'), { statusCode: 'x' }),
    unique: Object.assign(new Error('secret of a child'), { code: '23505', detail: 'secret of a child' }),
  }
  const { url } = await startHost(t, {
    apps: async (app) => {
      app.get<{ Querystring: { what: string } }>('/throws', async ({ query }) => {
        throw thrown[query.what]
      })
      app.get('/cycle', async () => {
        const error = new Error('a')
        error.cause = error
        throw error
      })
    },
  })
  for (const what of Object.keys(thrown)) {
    const response = await fetch(`${url}/throws?what=${what}`)
    const body = await response.text()
    t.equal(response.status, 500, what)
    t.match(JSON.parse(body), { error_code: 500, message: String, request_id: response.headers.get('x-request-id') })
    t.notMatch(body, 'secret')
  }
  t.equal((await fetch(`${url}/cycle`)).status, 500)
})

t.test('an answer that fails before its first byte carries nothing of what it was to be', async (t) => {
  const { url } = await startHost(t, {
    apps: async (app) => {
      app.get('/stream', (_request, reply) => {
        const stream = new Readable({
          read() {
            this.destroy(new Error('gone'))
          },
        })
        return reply
          .headers({ 'content-length': 9_000, etag: '"1"', 'content-range': 'bytes 0-8999/9000' })
          .type('video/mp4')
          .send(stream)
      })
    },
  })
  const response = await fetch(`${url}/stream`)
  t.equal(response.status, 500)
  t.match(await response.json(), { error_code: 500 })
  t.match(response.headers.get('content-type'), /^application\/json/)
  t.equal(response.headers.get('etag'), null)
  t.equal(response.headers.get('content-range'), null)
})

t.test('validation errors name their place, and their number is bounded', async (t) => {
  const Body = Type.Object({
    'a/b': Type.Optional(Type.Object({ '~c': Type.Integer() })),
    list: Type.Optional(Type.Array(Type.Object({ n: Type.Integer() }))),
  })
  const { url } = await startHost(t, {
    apps: async (app) => void app.post('/', { schema: { body: Body } }, () => ({})),
  })
  const post = async (body: unknown) => {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const response = await fetch(url, init)
    return { status: response.status, body: Object(await response.json()) }
  }
  t.match(await post({ list: [{ n: 1 }, {}, { n: 'x' }] }), {
    status: 422,
    body: { error_code: 8, detail: [{ loc: ['body', 'list', 1, 'n'] }, { loc: ['body', 'list', 2, 'n'] }] },
  })
  t.match(await post({ 'a/b': { '~c': 'x' } }), { status: 422, body: { detail: [{ loc: ['body', 'a/b', '~c'] }] } })
  const many = await post({ list: Array(10_000).fill({}) })
  t.equal(many.status, 422)
  t.ok(many.body.detail.length <= 100, `${many.body.detail.length} faults`)
})

t.test('what may be logged of an error', async (t) => {
  const secret = 'the child said\n    at home (/it/is/secret:1:2)\n    at school'
  class QueryError extends Error {
    override name = 'QueryError'
  }
  const driver = Object.assign(new Error(secret), { code: '22P02', detail: secret })
  const logged = JSON.stringify(loggable(new QueryError(secret, { cause: driver })))
  t.notMatch(logged, 'secret')
  t.notMatch(logged, 'school')
  t.match(JSON.parse(logged), {
    type: 'QueryError',
    code: '22P02',
    causes: [{ type: 'Error' }],
    stack: [/errors\.test\.ts/],
  })
  t.same(JSON.parse(JSON.stringify(loggable(secret))), { type: 'string' })
  const loop = new Error('x')
  loop.cause = loop
  t.match(loggable(loop), { type: 'Error' })
  const renamed = Object.assign(new Error('x'), { message: secret })
  t.notMatch(JSON.stringify(loggable(renamed)), 'secret')
})
