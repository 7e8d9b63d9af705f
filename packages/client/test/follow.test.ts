import type { ServerResponse } from 'node:http'
import t from 'tap'
import { ApiFailure, follow, readBlocks } from '../src/index.ts'
import { answering, json } from './answers.ts'

const news = (session_id: number) => JSON.stringify({ session_id, name: '지우' })
const stream =
  (...chunks: string[]) =>
  (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const chunk of chunks) response.write(chunk)
    response.end()
  }

t.test('a stream that ends is opened again where it was, until the signal', { timeout: 20_000 }, async (t) => {
  const { client, asked } = await answering(
    t,
    stream(
      'retry: 1\n\n',
      ': still here\n\n',
      `id: 5\nevent: session\ndata: ${news(1)}\n\n`,
      'id: 6\nevent: reset\ndata: {}\n\n',
    ),
    json({ message: 'busy', error_code: 10 }, 503),
    stream(`id: 7\nevent: session\ndata: ${news(2)}\n\n`, 'event: session\ndata: {"half'),
    json({ message: 'access token is invalid', error_code: 0 }, 401),
  )
  const told: unknown[] = []
  const following = follow(client, {
    signal: new AbortController().signal,
    case_id: 12,
    onNews: ({ session_id }, id) => told.push([session_id, id]),
    onReset: () => told.push('reset'),
    onOpen: () => told.push('open'),
    onLost: (reason) => told.push(reason instanceof ApiFailure ? reason.status : 'ended'),
  })
  // With a token that has ended nobody comes back.
  await t.rejects(following, { message: 'access token is invalid' })
  t.same(told, ['open', [1, '5'], 'reset', 'ended', 503, 'open', [2, '7'], 'ended'])
  t.same(
    asked.map(({ line, headers }) => [line, headers['last-event-id']]),
    [undefined, '6', '6', '7'].map((id) => ['GET /contents/api/events?case_id=12', id]),
  )
})

t.test('the signal ends a stream and a pause', async (t) => {
  const { client, asked } = await answering(t, (response) => {
    response.writeHead(200).write(': open\n\n')
  })
  const ended = new AbortController()
  const silent = { onNews: () => {}, onReset: () => {} }
  await follow(client, { signal: ended.signal, ...silent, onOpen: () => ended.abort() })
  const { client: busy, asked: askedBusy } = await answering(t, json({}, 503, { 'retry-after': '60' }))
  const paused = new AbortController()
  await follow(busy, { signal: paused.signal, ...silent, onLost: () => setTimeout(() => paused.abort(), 10) })
  t.same([asked.length, askedBusy.length], [1, 1], 'nobody comes back')
})

t.test('blocks are read however they are cut, with every end of line', async (t) => {
  const bytes = Buffer.from(
    '\uFEFFid: 1\r\nevent: session\r\ndata: 지우\r\ndata:  two\r\n\r\n: comment\n\ndata\n\nretry: 30\r\r',
  )
  for (const size of [1, 2, 3, 7, 1000]) {
    const chunks: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
    const blocks = []
    for await (const block of readBlocks(ReadableStream.from(chunks))) blocks.push(block)
    t.match(blocks[0], { id: '1', event: 'session', data: '지우\n two' }, `in pieces of ${size} bytes`)
    t.equal(blocks[2]?.data, '')
  }
})
