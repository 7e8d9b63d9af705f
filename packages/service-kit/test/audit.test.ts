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
  return { get, sql, link, addresses, seen: () => shown }
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

t.test('only a random id of a client goes into the trail', async (t) => {
  const { get, sql } = await audited(t)
  const random = ['0f8fad5b-d9cb-469f-a165-70867728950e', '0F8FAD5BD9CB469FA16570867728950E']
  for (const id of [...random, 'Kim-Minji.2019-03-04', '20190304']) await get('/case', { 'x-request-id': id })
  const ids = (await sql`select request_id from audit_events order by id`).map(({ request_id }) => request_id)
  t.same(ids.slice(0, 2), random)
  t.match(ids.slice(2), [/^[\da-f]{8}-[\da-f-]{27}$/, /^[\da-f]{8}-[\da-f-]{27}$/])
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

t.test('an event whose connection hangs keeps no other from the trail', async (t) => {
  const { get, sql, addresses } = await audited(t, { trustedProxy: '127.0.0.0/8' })
  t.equal((await get('/case')).status, 200)
  // The next INSERT waits for this lock, and the one after it does not.
  await sql`create function hang() returns trigger language plpgsql as $$
    begin if new.address = '192.0.2.1' then perform pg_advisory_xact_lock(7); end if; return new; end $$`
  await sql`create trigger hang before insert on audit_events for each row execute function hang()`
  const holder = await sql.reserve()
  await holder`select pg_advisory_lock(7)`
  const slow = get('/case', { 'x-forwarded-for': '192.0.2.1' })
  await until(
    'it waits',
    () => sql`select from pg_locks where locktype = 'advisory' and not granted`,
    ({ length }) => length === 1,
  )
  t.equal((await get('/case')).status, 200)
  t.equal((await addresses()).length, 2, 'the slow one is not written yet')
  await holder`select pg_advisory_unlock(7)`
  holder.release()
  t.equal((await slow).status, 200)
  t.equal((await addresses()).length, 3)
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
