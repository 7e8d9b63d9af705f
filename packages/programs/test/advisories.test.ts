/**
 * What is shipped has no weakness that the registry knows as high or critical. Only the first test needs the registry: where it cannot
 * be asked, or fails, the test is skipped and says why.
 */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import t from 'tap'
import { askAdvisories } from '../src/advisories.ts'

/** A registry that answers so, until the test ends. */
async function registryThat(answer: RequestListener) {
  const server = createServer((request, response) => {
    request.resume().once('end', () => answer(request, response))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  return `http://127.0.0.1:${address && typeof address === 'object' ? address.port : 0}/`
}

/** A registry that knows these advisories, and nothing else of any package. */
const registryWith = (advisories: object) =>
  registryThat(({ method }, response) => {
    response.writeHead(method === 'POST' ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(method === 'POST' ? advisories : {}))
  })

const about = { url: 'https://example.com/a', cwe: [], cvss: { score: 9, vectorString: null } }
const all = { ...about, vulnerable_versions: '<99.0.0' }

t.test('the registry knows of none', async (t) => {
  const advice = await askAdvisories()
  if ('unanswered' in advice) {
    return t.skip(`The registry was asked and did not answer: ${advice.unanswered}`, async () => {})
  }
  t.strictSame(advice.known, [])
})

t.test('one that is known is told, if it is severe', async (t) => {
  const registry = await registryWith({
    fastify: [{ ...all, id: 1, title: 'opens every door', severity: 'critical' }],
    ioredis: [{ ...all, id: 2, title: 'is slow on Sundays', severity: 'low' }],
    preact: [{ ...all, id: 3, title: 'is only in the console', severity: 'high' }],
  })
  const advice = await askAdvisories(registry)
  t.same('known' in advice && advice.known.toSorted(), [
    'fastify: critical, opens every door https://example.com/a',
    'preact: high, is only in the console https://example.com/a',
  ])
})

t.test('one of another version, or of a package that is not shipped, is none', async (t) => {
  const severe = { id: 1, title: 'opens every door', severity: 'critical' }
  const registry = await registryWith({
    fastify: [{ ...about, ...severe, vulnerable_versions: '<2.0.0' }],
    tap: [{ ...all, ...severe }],
  })
  t.strictSame(await askAdvisories(registry), { known: [] })
})

t.test('a registry that fails is no weakness, and is told', async (t) => {
  const failures: [name: string, answer: RequestListener, told: RegExp][] = [
    ['without the endpoint', (_, response) => response.writeHead(410).end('{"error":"retired"}'), /410/],
    ['overloaded', (_, response) => response.writeHead(503).end(), /503/],
    ['garbled', (_, response) => response.writeHead(200).end(Buffer.from('1f8b08', 'hex')), /./],
    ['cut off', (request) => request.socket.destroy(), /socket|hang up|ECONNRESET/i],
  ]
  for (const [name, answer, told] of failures) {
    const advice = await askAdvisories(await registryThat(answer))
    t.match(advice, { unanswered: told }, name)
  }
  t.match(await askAdvisories('http://127.0.0.1:1/'), { unanswered: /ECONNREFUSED/ }, 'without a network')
})
