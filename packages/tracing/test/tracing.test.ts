/** What a process traces, and that a collector in any state holds nothing up. */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCollector, until } from '@playtherapy/testing'
import t from 'tap'
import {
  beginSpan,
  beginTrace,
  currentTraceparent,
  inSpan,
  isTraced,
  isTracing,
  startTracing,
  untraced,
} from '../src/index.ts'

const settings = { ratio: 1, service: 'test', version: '1', onFailure() {} }
const about = { name: 'request' }

t.test('without a collector nothing is traced, and work runs as if there were no spans', async (t) => {
  await (await startTracing({ ...settings, endpoint: undefined })).close()
  t.notOk(isTracing())
  t.equal(beginTrace(about), undefined)
  t.equal(await inSpan(about, async () => currentTraceparent() ?? 'none'), 'none')
  await t.rejects(
    inSpan(about, async () => {
      throw new Error('of the work')
    }),
    { message: 'of the work' },
  )
  t.equal(
    untraced(() => 7),
    7,
  )
})

t.test('spans are below those in which they began, also after a wait', async (t) => {
  const collector = await startCollector(t)
  const tracing = await startTracing({ ...settings, endpoint: `${collector.url}/` })
  t.equal(beginSpan(about), undefined, 'nothing begins a trace but beginTrace')
  const root = beginTrace(about, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00')
  const handedOn = await root?.within(async () => {
    await sleep(1)
    await inSpan({ name: 'outer', attributes: { id: 7 } }, async () => {
      await sleep(1)
      const failing = inSpan({ name: 'inner' }, async () => {
        await sleep(1)
        throw Object.assign(new Error('a name'), { code: '23505' })
      })
      await t.rejects(failing)
      untraced(() => t.notOk(isTraced()))
    })
    return currentTraceparent()
  })
  root?.end()
  root?.end('twice')
  await tracing.close()
  const byName = new Map(collector.spans.map((span) => [span.name, span]))
  const [request, outer, inner] = ['request', 'outer', 'inner'].map((name) => byName.get(name))
  t.equal(collector.spans.length, 3)
  t.match(request, { service: 'test', parentSpanId: 'b7ad6b7169203331', failed: false })
  t.match(outer, { parentSpanId: request?.spanId, attributes: { id: 7 }, failed: false })
  t.match(inner, { parentSpanId: outer?.spanId, attributes: { 'error.type': '23505' }, failed: true })
  for (const span of collector.spans) t.equal(span.traceId, '0af7651916cd43dd8448eb211c80319c')
  t.equal(handedOn, `00-${request?.traceId}-${request?.spanId}-01`)
  t.notMatch(collector.bodies.join(), 'a name')
})

t.test('the id of a trace decides whether it is recorded, and no flag of a client', async (t) => {
  const collector = await startCollector(t)
  const tracing = await startTracing({ ...settings, ratio: 0.5, endpoint: collector.url })
  const ids = Array.from({ length: 200 }, () => randomBytes(16).toString('hex'))
  const recorded = (flags: string) =>
    ids.map((id) => beginTrace(about, `00-${id}-b7ad6b7169203331-${flags}`)?.isRecorded)
  t.strictSame(recorded('01'), recorded('00'))
  t.ok(recorded('01').includes(true) && recorded('01').includes(false))
  const left = ids.find((_, index) => !recorded('01')[index])
  const unrecorded = beginTrace(about, `00-${left}-b7ad6b7169203331-01`)
  unrecorded?.within(() => {
    t.match(currentTraceparent(), new RegExp(`^00-${left}-[0-9a-f]{16}-00$`), 'it is handed on, so that jobs agree')
    t.equal(beginSpan(about), undefined)
  })
  unrecorded?.end()
  await tracing.close()
  t.strictSame(collector.spans, [])
})

t.test('what exceeds the queue is dropped', async (t) => {
  const held: (() => void)[] = []
  const collector = await startCollector(t, (response) => held.push(() => response.end('{}')))
  const tracing = await startTracing({ ...settings, endpoint: collector.url })
  for (let n = 0; n < 10_000; n++) beginTrace(about)?.end()
  await until(
    'the first batch',
    async () => held.length,
    (count) => count > 0,
  )
  const closing = tracing.close()
  const answering = setInterval(() => {
    for (const answer of held.splice(0)) answer()
  }, 10)
  await closing
  clearInterval(answering)
  t.ok(collector.spans.length >= 2_000 && collector.spans.length <= 2_048 + 256, `${collector.spans.length} spans`)
})

t.test('a collector that never answers does not hold up the end', async (t) => {
  const sockets: { destroyed: boolean }[] = []
  const collector = await startCollector(t, (_response, socket) => sockets.push(socket))
  const tracing = await startTracing({ ...settings, endpoint: collector.url })
  beginTrace(about)?.end()
  await tracing.close()
  t.equal(collector.bodies.length, 1)
  t.match(sockets, [{ destroyed: false }], 'it still has the request, which nobody waits for')
})

t.test('after a collector was away, later spans reach it', async (t) => {
  let isFrozen = true
  const collector = await startCollector(t, (response) => !isFrozen && response.end('{}'))
  const tracing = await startTracing({ ...settings, endpoint: collector.url })
  for (let n = 0; n < 300; n++) beginTrace({ name: 'lost' })?.end()
  await until(
    'the first batch',
    async () => collector.bodies.length,
    (count) => count > 0,
  )
  isFrozen = false
  beginTrace({ name: 'later' })?.end()
  const names = await until(
    'the later span',
    async () => collector.spans.map(({ name }) => name),
    (found) => found.includes('later'),
  )
  t.equal(names.at(-1), 'later')
  await tracing.close()
})

for (const [what, answer] of Object.entries({
  'answers 500': (response: ServerResponse) => response.writeHead(500).end('a name'),
  'resets connections': (_: unknown, socket: Socket) => socket.resetAndDestroy(),
})) {
  t.test(`a collector that ${what} loses spans and nothing else`, async (t) => {
    const failures: unknown[] = []
    const collector = await startCollector(t, answer)
    const onFailure = (error: unknown) => void failures.push(error)
    const tracing = await startTracing({ ...settings, onFailure, endpoint: collector.url })
    t.equal(await beginTrace(about)?.within(() => inSpan(about, async () => 7)), 7)
    for (let n = 0; n < 300; n++) beginTrace(about)?.end()
    await tracing.close()
    t.ok(collector.bodies.length > 0)
    if (what === 'answers 500') t.ok(failures.length > 0, 'and says so')
  })
}
