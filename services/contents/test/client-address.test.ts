/** Which address of a client the audit trail names behind the gateway and a TLS terminator before it. */
import { request } from 'node:http'
import { join } from 'node:path'
import { hasNginx, startNginx } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { contents } from './support.ts'

const skip = hasNginx() || process.env.CI ? false : 'needs nginx'
const nowhere = 'http://127.0.0.1:9'
/** The terminator connects from here, and clients from 127.0.0.1. */
const terminator = '127.0.0.2'

/** A function that reads a list of cases through the gateway and returns the address of its event. */
async function behindGateway(t: Test, trustedProxy?: string) {
  const { host, db } = await contents(t, { trustedProxy: '127.0.0.1' })
  const upstreams = { media: nowhere, store: nowhere, contents: host.url }
  const nginx = await startNginx(
    join(t.testdir(), 'nginx'),
    upstreams,
    trustedProxy === undefined ? {} : { trustedProxy },
  )
  t.teardown(() => nginx.stop())
  return async (localAddress: string, forwarded?: string) => {
    const headers = { ...host.as(7), ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }) }
    const status = await new Promise((resolve, reject) => {
      request(`${nginx.url}/contents/api/case`, { localAddress, headers, agent: false }, (response) =>
        response.resume().once('end', () => resolve(response.statusCode)),
      )
        .on('error', reject)
        .end()
    })
    t.equal(status, 200)
    const [event] = await db.execute(sql`select host(address) as address from audit_events order by id desc limit 1`)
    return event?.address
  }
}

t.test('without a trusted proxy nobody is believed', { skip }, async (t) => {
  for (const trusted of [undefined, '']) {
    const addressOf = await behindGateway(t, trusted)
    t.equal(await addressOf(terminator), terminator)
    t.equal(await addressOf(terminator, '192.0.2.7'), terminator)
    t.equal(await addressOf('127.0.0.1', '192.0.2.7'), '127.0.0.1')
  }
})

t.test('the trusted proxy says who the client is, and nobody else', { skip }, async (t) => {
  const addressOf = await behindGateway(t, `10.9.0.0/16,${terminator}`)
  t.equal(await addressOf(terminator, '192.0.2.7'), '192.0.2.7')
  t.equal(await addressOf(terminator, '2001:db8::7'), '2001:db8::7')
  t.equal(await addressOf(terminator, '192.0.2.7:51234'), '192.0.2.7', 'with a port')
  t.equal(await addressOf(terminator, '203.0.113.9, 192.0.2.7'), '192.0.2.7', 'a client has sent the first one')
  t.equal(await addressOf(terminator, '192.0.2.7, 10.9.8.7'), '192.0.2.7', 'two proxies')
  t.equal(await addressOf(terminator, '203.0.113.9, nonsense'), terminator)
  t.equal(await addressOf(terminator), terminator)
  t.equal(await addressOf('127.0.0.1', '192.0.2.7'), '127.0.0.1', 'somebody else who connects to the gateway')
  t.equal(await addressOf('127.0.0.3', `192.0.2.7, ${terminator}`), '127.0.0.3')
})
