import { once } from 'node:events'
import { type IncomingMessage, request, type Server } from 'node:http'
import { cases, openDatabase } from '@playtherapy/schema'
import { guardAccess, requireOperator, requireReportWriter, requireTherapist } from '@playtherapy/service-kit'
import type { HostOptions } from '@playtherapy/service-kit/host'
import { flakyLink, jwtSecret, type Teardown, testDatabase } from '@playtherapy/testing'
import t from 'tap'
import { bearer, good, hmac, startHost } from './support.ts'

/** A host whose only route asks the database, over a link that can hang. */
async function overFlakyLink(t: Teardown, options: Partial<HostOptions> = {}) {
  const { db, url: direct } = await testDatabase(t)
  const therapists = [7, 8, 9, 10, 11]
  const rows = await db
    .insert(cases)
    .values(therapists.map((userId) => ({ userId, givenName: 'A' })))
    .returning()
  const link = await flakyLink(t, direct)
  const database = openDatabase({ url: link.url, max: 8, applicationName: 'test' })
  t.teardown(() => database.close())
  const { host, url } = await startHost(t, {
    ...options,
    apps: async (app) => {
      app.addHook('onRequest', requireTherapist)
      app.addHook('onRequest', guardAccess(database.db))
      app.get('/case/:case_id', ({ caseId }) => ({ caseId }))
    },
  })
  const caseOf = (userId: number) => `/case/${rows.find((row) => row.userId === userId)?.id}`
  const get = async (userId = 7, path = caseOf(userId)) => {
    const options = { agent: false, headers: userId > 0 ? good(userId) : {} }
    const [answer]: IncomingMessage[] = await once(request(url + path, options).end(), 'response')
    answer?.resume()
    return { status: answer?.statusCode, retryAfter: answer?.headers['retry-after'] }
  }
  /** A request that is sent, whatever comes of it. */
  const send = () =>
    request(url + caseOf(7), { agent: false, headers: good() })
      .on('error', () => {})
      .end()
  return { link, host, get, send }
}

const busy = { status: 503, retryAfter: '5' }

t.test('a database that hangs is answered for', async (t) => {
  const { link, get } = await overFlakyLink(t, { answerMs: 300 })
  t.match(await get(), { status: 200 })
  link.freeze()
  t.strictSame(await get(), busy)
  link.thaw()
  t.match(await get(), { status: 200 })
})

/** Resolves once so many more requests have come in. */
function come(host: { server: Server }, requests: number): Promise<void> {
  let left = requests
  return new Promise((resolve) => {
    host.server.on('request', () => --left === 0 && resolve())
  })
}

t.test('one therapist waits with a quarter of the requests, and the others notice nothing', async (t) => {
  const { link, host, get } = await overFlakyLink(t)
  link.freeze()
  const came = come(host, 125)
  const waiting = Array.from({ length: 125 }, () => get())
  await came
  t.strictSame(await get(), { status: 429, retryAfter: '5' })
  t.strictSame(await get(0), { status: 401, retryAfter: undefined }, 'who has no token holds no place')
  t.match(await get(8, '/health/ready'), { status: 200 })
  const other = get(8)
  link.thaw()
  t.match(await other, { status: 200 })
  t.ok((await Promise.all(waiting)).every(({ status }) => status === 200))
  t.match(await get(), { status: 200 }, 'places are given back')
})

t.test('operators have a share beside that of the analysis system', async (t) => {
  const release = new AbortController()
  const released = once(release.signal, 'abort')
  const { host, url } = await startHost(t, {
    apps: async (root) => {
      for (const [path, hook] of [
        ['/operations', requireOperator],
        ['/report', requireReportWriter],
      ] as const) {
        await root.register(async (app) => {
          app.addHook('onRequest', hook)
          app.get(path, async () => ({ released: (await released).length }))
        })
      }
    },
  })
  const ask = async (path: string, claims: object) => {
    const { status } = await fetch(url + path, { headers: bearer({ alg: 'HS256' }, claims, hmac('sha256', jwtSecret)) })
    return status
  }
  const operator = () => ask('/operations', { scope: 'operations' })
  const came = come(host, 125)
  const waiting = Array.from({ length: 125 }, operator)
  await came
  t.equal(await operator(), 429)
  const others = [ask('/report', { scope: 'reports:write' }), ask('/operations', { scope: 'operations', user_id: 7 })]
  await come(host, 2)
  release.abort()
  t.same(await Promise.all(others), [200, 200])
  t.same([...new Set(await Promise.all(waiting))], [200])
})

t.test('more requests than can wait are told to come again, and those that wait are served', async (t) => {
  const { link, host, get } = await overFlakyLink(t)
  link.freeze()
  const came = come(host, 500)
  const waiting = Array.from({ length: 500 }, (_, index) => get(8 + (index % 4)))
  await came
  t.strictSame(await get(), busy)
  t.match(await get(7, '/health/live'), { status: 200 }, 'health is outside')
  t.strictSame(await get(7, '/health/ready'), busy, 'and tells that nobody gets in')
  link.thaw()
  const served = await Promise.all(waiting)
  t.ok(served.every(({ status }) => status === 200))
  t.match(await get(), { status: 200 })
  t.match(await get(7, '/health/ready'), { status: 200 })
})

t.test('clients that leave give their places back', async (t) => {
  const { link, host, get, send } = await overFlakyLink(t)
  link.freeze()
  const came = come(host, 125)
  const leaving = Array.from({ length: 125 }, send)
  await came
  for (const each of leaving) each.destroy()
  link.thaw()
  let status: number | undefined
  do ({ status } = await get())
  while (status === 429)
  t.equal(status, 200)
})
