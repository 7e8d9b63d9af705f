/** What runs in production has no weakness that the registry knows as high or critical. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { askAdvisories } from '../src/advisories.ts'

/** A registry that answers every question for advisories so, until the test ends. */
async function registryThat(status: number, body: unknown) {
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  return `http://127.0.0.1:${address && typeof address === 'object' ? address.port : 0}/`
}

t.test('the registry knows of none', async (t) => {
  const advice = await askAdvisories()
  if ('unanswered' in advice) {
    return t.skip(`The registry was asked and did not answer: ${advice.unanswered}`, async () => {})
  }
  t.strictSame(advice.known, [])
})

t.test('one that is known is told, if it is severe', async (t) => {
  const about = {
    url: 'https://example.com/a',
    vulnerable_versions: '<99.0.0',
    cwe: [],
    cvss: { score: 9, vectorString: null },
  }
  const advice = await askAdvisories(
    await registryThat(200, {
      fastify: [{ ...about, id: 1, title: 'opens every door', severity: 'critical' }],
      ioredis: [{ ...about, id: 2, title: 'is slow on Sundays', severity: 'low' }],
    }),
  )
  t.strictSame(advice, { known: ['fastify: critical, opens every door https://example.com/a'] })
})

t.test('a registry that has no such endpoint, or none any more, is no weakness', async (t) => {
  t.match(await askAdvisories(await registryThat(410, { error: 'retired' })), { unanswered: /responded with 410/ })
})
