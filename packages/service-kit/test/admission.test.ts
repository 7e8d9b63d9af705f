import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { cases, openDatabase } from '@playtherapy/schema'
import { guardAccess, requireTherapist } from '@playtherapy/service-kit'
import type { HostOptions } from '@playtherapy/service-kit/host'
import { flakyLink, type Teardown, testDatabase } from '@playtherapy/testing'
import t from 'tap'
import { good, startHost } from './support.ts'

/** A host whose only route asks the database, over a link that can hang. */
async function overFlakyLink(t: Teardown, options: Partial<HostOptions> = {}) {
  const { db, url: direct } = await testDatabase(t)
  const [row] = await db.insert(cases).values({ userId: 7, givenName: 'A' }).returning()
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
  const headers = good()
  const get = async (path = `/case/${row?.id}`) => {
    const [answer]: IncomingMessage[] = await once(request(url + path, { agent: false, headers }).end(), 'response')
    answer?.resume()
    return { status: answer?.statusCode, retryAfter: answer?.headers['retry-after'] }
  }
  return { link, host, get }
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

t.test('more requests than can wait are told to come again, and those that wait are served', async (t) => {
  const { link, host, get } = await overFlakyLink(t)
  let come = 0
  const all = new Promise<void>((resolve) => {
    host.server.on('request', () => ++come === 500 && resolve())
  })
  link.freeze()
  const waiting = Array.from({ length: 500 }, () => get())
  await all
  t.strictSame(await get(), busy)
  t.match(await get('/health/live'), { status: 200 }, 'health is outside')
  link.thaw()
  const served = await Promise.all(waiting)
  t.ok(served.every(({ status }) => status === 200))
  t.match(await get(), { status: 200 })
})
