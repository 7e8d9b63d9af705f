/** Which address the audit trail is told, and what it does in an outage. */
import { openDatabase } from '@playtherapy/schema'
import { auditRequests, requireTherapist } from '@playtherapy/service-kit'
import type { HostOptions } from '@playtherapy/service-kit/host'
import { flakyLink, type Teardown, testDatabase, until } from '@playtherapy/testing'
import t from 'tap'
import { good, startHost } from './support.ts'

/** A host with an audited route, over a link that can hang. */
async function audited(t: Teardown, options: Partial<HostOptions> = {}, longestMs?: number) {
  const { sql, url: direct } = await testDatabase(t)
  const link = await flakyLink(t, direct)
  const database = openDatabase({ url: link.url, max: 2, applicationName: 'test' })
  t.teardown(() => database.close())
  let shown = 0
  const { url } = await startHost(t, {
    ...options,
    apps: async (app) => {
      auditRequests(app, database.db, longestMs)
      app.addHook('onRequest', requireTherapist)
      app.get('/case', { schema: { tags: ['case'] } }, () => ({ shown: ++shown }))
      app.get('/other', { schema: { tags: ['other'] } }, () => ({ shown: 0 }))
      app.get('/silent', { config: { audit: false }, schema: { tags: ['case'] } }, () => ({ shown: 0 }))
    },
  })
  const get = (path: string, headers = {}) => fetch(url + path, { headers: { ...good(), ...headers } })
  const addresses = async () =>
    (await sql`select host(address) as address from audit_events order by id`).map(({ address }) => address)
  return { get, link, addresses, seen: () => shown }
}

t.test('the address of the client is that which a trusted gateway names last', async (t) => {
  const { get, addresses } = await audited(t, { trustedProxy: '127.0.0.0/8, 10.0.0.7' })
  for (const named of [
    '192.0.2.55',
    '203.0.113.9, 192.0.2.55',
    '192.0.2.55, 10.0.0.7',
    '::ffff:192.0.2.55',
    '192.0.2.55:50123',
    '2001:db8::7%eth0',
    'unknown',
    "192.0.2.55'; drop table cases",
  ]) {
    t.equal((await get('/case', { 'x-forwarded-for': named })).status, 200)
  }
  const client = '192.0.2.55'
  t.same(await addresses(), [client, client, client, client, client, '2001:db8::7', null, null])
})

t.test('nobody else names an address', async (t) => {
  for (const trustedProxy of [undefined, '192.0.2.0/24']) {
    const { get, addresses } = await audited(t, { trustedProxy })
    t.equal((await get('/case', { 'x-forwarded-for': '192.0.2.55' })).status, 200)
    t.same(await addresses(), ['127.0.0.1'])
  }
})

t.test('routes of other tags, and those that say so, are not told', async (t) => {
  const { get, addresses } = await audited(t)
  for (const path of ['/other', '/silent']) t.equal((await get(path)).status, 200)
  t.same(await addresses(), [])
})

t.test('while the trail cannot be written nothing that it would tell is shown', async (t) => {
  const { get, link, addresses, seen } = await audited(t, {}, 300)
  do await get('/case')
  while ((await addresses()).length === 0)
  const before = seen()
  link.freeze()
  const refused = await Promise.all([get('/case'), get('/case'), get('/case')])
  t.same(
    refused.map(({ status }) => status),
    [503, 503, 503],
  )
  t.equal(seen() - before, 3)
  t.match(await refused[0]?.json(), { error_code: 10 })
  t.equal((await get('/other')).status, 200)
  link.thaw()
  await until(
    'the trail works',
    () => get('/case'),
    ({ status }) => status === 200,
  )
})
