/** What takes milliseconds for each of many uploads is spread over the turns of the event loop. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { createS3Store } from '../src/index.ts'
import { createPartPool } from '../src/s3-parts.ts'

t.test('in each turn of the event loop one upload gets fresh memory', async (t) => {
  const pool = createPartPool()
  let given = 0
  for (let n = 0; n < 10; n++) {
    pool
      .open()
      .take(8)
      .then(() => given++)
  }
  const each: number[] = []
  for (let before = 0; before < 10; before = given) {
    await turn()
    each.push(given - before)
  }
  t.equal(Math.max(...each), 1)
})

t.test('in each turn of the event loop one large body is signed', async (t) => {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.setHeader('etag', '"0"').end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('no port')
  const endpoint = `http://127.0.0.1:${address.port}`
  const key = { accessKeyId: 'a', secretAccessKey: 'b' }
  const store = createS3Store({ endpoint, region: 'here', bucket: 'c', ...key, forcePathStyle: true })
  let now = 0
  let isOver = false
  const count = async () => {
    for (; !isOver; now++) await turn()
  }
  const turns: number[] = []
  const note = () => void turns.push(now)
  subscribe('http.client.request.start', note)
  t.teardown(() => {
    unsubscribe('http.client.request.start', note)
    store.close()
    server.close()
  })
  const counted = count()
  const put = (n: number) => store.put(`${n}`, Buffer.alloc(1024 ** 2), { contentType: 'video/mp4' })
  await Promise.all(Array.from({ length: 8 }, (_, n) => put(n)))
  isOver = true
  await counted
  t.equal(new Set(turns).size, 8, `requests began in the turns ${turns}`)
})
