/** Tokens that are verified by the key set of a sign-in service: what happens when it changes, and when it is down. */
import { gzipSync } from 'node:zlib'
import { until } from '@playtherapy/testing'
import t from 'tap'
import { ecPair, keyHost, keyServer, signedBy } from './key-server.ts'

const busy = { status: 503, retryAfter: /^\d+$/ }

t.test('a new key is accepted and a withdrawn one ends, without a restart', async (t) => {
  const [first, second, third] = [ecPair('1'), ecPair('2'), ecPair('3')]
  const server = await keyServer(t, first)
  const { ask, ready } = await keyHost(t, server, { refreshMs: 300, cooldownMs: 300 })
  t.match(await ask(signedBy(first)), { status: 200 })
  t.equal(await ready(), 200)
  server.publish(first, second)
  t.match(await ask(signedBy(second)), { status: 200 }, 'at the first request')
  t.match(await ask(signedBy(first)), { status: 200 }, 'and the old one')
  server.publish(second, third)
  await until('the withdrawn key ends', async () => (await ask(signedBy(first))).status === 401)
  t.match(await ask(signedBy(second)), { status: 200 })
  t.match(await ask(signedBy(third)), { status: 200 })
})

t.test('a key may be replaced under its id', async (t) => {
  const [before, after] = [ecPair('same'), ecPair('same')]
  const server = await keyServer(t, before)
  const { ask } = await keyHost(t, server)
  t.match(await ask(signedBy(before)), { status: 200 })
  server.publish(after)
  t.match(await ask(signedBy(after)), { status: 200 })
  t.match(await ask(signedBy(before)), { status: 401, why: /signature does not match/ })
})

t.test('the process starts while the key server is down, and answers 503 until a key is known', async (t) => {
  const pair = ecPair('1')
  const server = await keyServer(t, pair)
  await server.stop()
  const { ask, ready } = await keyHost(t, server, { cooldownMs: 50 })
  t.match(await ask(signedBy(pair)), busy)
  t.match(await ask(signedBy(ecPair('forged'))), busy)
  t.equal(await ready(), 503)
  t.match(await ask(), { status: 401 }, 'no token')
  t.match(await ask({ authorization: 'Bearer a.b.c' }), { status: 401 }, 'a malformed one')
  t.match(await ask(signedBy(pair, { alg: 'none' })), { status: 401 }, 'an algorithm that is not accepted')
  await server.start()
  await until('the keys are read', async () => (await ask(signedBy(pair))).status === 200)
  t.equal(await ready(), 200)
  t.match(await ask(signedBy(ecPair('forged'))), { status: 401 })
})

t.test('known keys outlive the key server for a bounded time', async (t) => {
  const pair = ecPair('1')
  const server = await keyServer(t, pair)
  const { ask, ready, age } = await keyHost(t, server, { refreshMs: 50, cooldownMs: 50, keepMs: 2_000 })
  t.match(await ask(signedBy(pair)), { status: 200 })
  await server.stop()
  await until('the outage is noticed', async () => (await ask(signedBy(ecPair('2')))).status === 503)
  const first = await age()
  t.ok(first > 0 && (await age()) > first, 'the age of the keys is shown, and grows')
  t.match(await ask(signedBy(pair)), { status: 200 })
  t.equal(await ready(), 200)
  t.match(await ask(signedBy(pair, {}, { exp: 1 })), { status: 401, why: /has expired/ })
  t.match(await ask(signedBy({ ...ecPair(), header: pair.header })), { status: 401, why: /does not match/ })
  await until('the known key ends', async () => (await ask(signedBy(pair))).status === 503)
  t.match(await ask(signedBy(pair)), busy)
  t.equal(await ready(), 503)
  await server.start()
  await until('the keys are read', async () => (await ask(signedBy(pair))).status === 200)
})

t.test('while a fetch hangs only unknown keys wait for it, and not for ever', async (t) => {
  const pair = ecPair('1')
  const server = await keyServer(t, pair)
  const { ask } = await keyHost(t, server, { fetchMs: 1_000 })
  t.match(await ask(signedBy(pair)), { status: 200 })
  // It sends a byte now and then, so that no silence ends it.
  server.answer((_request, response) => {
    const drip = setInterval(() => response.write(' '), 20)
    response.once('close', () => clearInterval(drip))
  })
  let waits = true
  const forged = Promise.all(Array.from({ length: 250 }, () => ask(signedBy(ecPair('forged'))))).finally(() => {
    waits = false
  })
  await until('the fetch begins', () => server.count === 2)
  for (let times = 0; times < 20; times++) t.match(await ask(signedBy(pair)), { status: 200 })
  t.ok(waits)
  for (const answer of await forged) t.match(answer, busy)
  t.equal(server.count, 2)
})

t.test('forged key ids cause one fetch in a cooldown', async (t) => {
  const pair = ecPair('1')
  const server = await keyServer(t, pair)
  const { ask } = await keyHost(t, server, { cooldownMs: 60_000 })
  const forged = Array.from({ length: 100 }, (_, index) => ask(signedBy(pair, { kid: `forged ${index}` })))
  for (const answer of await Promise.all(forged)) t.match(answer, { status: 401, why: /a key that is not known/ })
  for (let index = 0; index < 20; index++) t.match(await ask(signedBy(ecPair(`later ${index}`))), { status: 401 })
  for (let index = 0; index < 20; index++)
    t.match(await ask(signedBy({ ...ecPair(), header: pair.header })), { status: 401 })
  t.match(await ask(signedBy(pair)), { status: 200 })
  t.ok(server.count <= 2, `${server.count} fetches`)
})

t.test('an answer that is no key set changes nothing', async (t) => {
  const pair = ecPair('1')
  const server = await keyServer(t, pair)
  const { ask } = await keyHost(t, server, { fetchMs: 500, refreshMs: 20, cooldownMs: 20 })
  t.match(await ask(signedBy(pair)), { status: 200 })
  const thief = ecPair('2')
  const stolen = JSON.stringify({ keys: [thief.jwk] })
  const other = await keyServer(t, thief)
  const wrong: Record<string, Parameters<typeof server.answer>[0]> = {
    'a page': (_, response) => response.end('<html>Please sign in</html>'),
    nothing: (_, response) => response.end(),
    'no content': (_, response) => response.writeHead(204).end(),
    null: (_, response) => response.end('null'),
    'a list': (_, response) => response.end(`[${JSON.stringify(thief.jwk)}]`),
    'keys that are no list': (_, response) => response.end(`{"keys":{"0":${JSON.stringify(thief.jwk)}}}`),
    'an error with keys': (_, response) => response.writeHead(500).end(stolen),
    'another success': (_, response) => response.writeHead(203).end(stolen),
    'a redirect': (_, response) => response.writeHead(302, { location: other.url }).end(stolen),
    'a permanent redirect': (_, response) => response.writeHead(308, { location: other.url }).end(),
    'a part': (_, response) => response.writeHead(200, { 'content-length': 10_000 }).write(stolen),
    'a connection that breaks': (request) => request.socket.destroy(),
    'a large one': (_, response) => response.end(stolen + ' '.repeat(600_000)),
    'one that unpacks to a large one': (_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(stolen + ' '.repeat(600_000))),
    'a deep one': (_, response) =>
      response.end(`{"keys":[{"kty":"EC","x":${'['.repeat(200_000)}${']'.repeat(200_000)}}]}`),
  }
  for (const [what, listener] of Object.entries(wrong)) {
    const before = server.count
    server.answer(listener)
    // The second fetch begins when the first one has ended.
    await until(what, () => server.count > before + 1)
    t.match(await ask(signedBy(pair)), { status: 200 }, what)
    t.notMatch(await ask(signedBy(thief)), { status: 200 }, what)
  }
  t.equal(other.count, 0, 'no redirect is followed')
})

t.test('a set without usable keys is no answer: the keys before it stay', async (t) => {
  const pair = ecPair('1')
  const server = await keyServer(t, pair)
  const { ask, ready } = await keyHost(t, server, { refreshMs: 50, cooldownMs: 50 })
  t.match(await ask(signedBy(pair)), { status: 200 })
  const secret = { kty: 'oct', k: Buffer.from('x'.repeat(32)).toString('base64url'), kid: '1' }
  for (const keys of [[], [null, 7, 'x', []], [secret], [{ ...pair.jwk, use: 'enc' }], [{ kty: 'none' }]]) {
    const before = server.count
    server.answer((_request, response) => response.end(JSON.stringify({ keys })))
    // The second fetch begins when the first one has ended.
    await until('the set is read', () => server.count > before + 1)
    t.match(await ask(signedBy(pair)), { status: 200 })
    t.equal(await ready(), 200)
  }
  const next = ecPair('2')
  server.publish(next)
  await until('the next set is read', async () => (await ask(signedBy(next))).status === 200)
  t.match(await ask(signedBy(pair)), { status: 401 })
})
