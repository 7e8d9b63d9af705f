import { requireTherapist } from '@playtherapy/service-kit'
import { createHost } from '@playtherapy/service-kit/host'
import { jwtSecret } from '@playtherapy/testing'
import t from 'tap'

t.test('a therapist with too many requests gets 429 with Retry-After, and disturbs nobody', async (t) => {
  const host = await createHost({
    name: 'test',
    description: '',
    auth: { jwtSecret },
    corsOrigins: ['http://localhost:3000'],
    logLevel: 'silent',
    requestsPerMinute: 3,
    ready: {},
    apps: async (app) => {
      app.addHook('onRequest', requireTherapist)
      app.get('/', () => ({ ok: true }))
    },
  })
  t.teardown(() => host.close())
  const get = (userId: number) => {
    const token = host.jwt.sign({ user_id: userId, exp: Math.floor(Date.now() / 1000) + 60 })
    return host.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
  }
  for (let request = 1; request <= 3; request++) t.equal((await get(7)).statusCode, 200)
  const refused = await get(7)
  t.equal(refused.statusCode, 429)
  t.strictSame(refused.json(), { message: 'Too many requests, please slow down', error_code: 10 })
  t.ok(Number(refused.headers['retry-after']) > 0)
  t.equal((await get(8)).statusCode, 200, 'another therapist')
  t.equal((await host.inject({ url: '/health/live' })).statusCode, 200, 'health is asked as often as it likes')
})
