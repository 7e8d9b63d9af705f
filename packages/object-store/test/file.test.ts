import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { objectStoreSuite } from '@playtherapy/testing'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { createFileStore, fileRoutes } from '../src/index.ts'

const contentType = 'video/mp4'

/** A file store in a folder of the test's own, with its routes on a real server. */
async function openStore(t: Test, limit?: number) {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-objects-'))
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('no port')
  const publicUrl = `http://127.0.0.1:${address.port}`
  const store = createFileStore({ directory, publicUrl, secret: 'for tests' })
  const host = Fastify({ serverFactory: (handler) => server.on('request', handler), forceCloseConnections: true })
  await host.register(fileRoutes({ store, ...(limit && { limit }) }))
  await host.ready()
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await host.close()
    await rm(directory, { recursive: true, force: true })
  })
  /** What lies in the folder, without the place for unfinished uploads. */
  const names = async () => (await readdir(directory, { recursive: true })).filter((name) => name !== '.unfinished')
  return { store, directory, names }
}

const bytesOf = (text: string) => Readable.from([Buffer.from(text)])

t.test('folder', async (t) => {
  const { store } = await openStore(t)
  objectStoreSuite(t, store)
})

t.test('no key leads out of the folder, or to unfinished uploads', async (t) => {
  const { store, names } = await openStore(t)
  for (const key of ['../x', 'a/../../x', '/x', 'a//x', 'a/', '', '.', '.unfinished/x', 'a\0b', 'a\\b']) {
    await t.rejects(store.put(key, bytesOf('x'), { contentType }), { message: 'not a key' }, JSON.stringify(key))
    await t.rejects(store.get(key))
    await t.rejects(store.delete([key]))
  }
  t.strictSame(await names(), [])
})

t.test('folders that are empty go', async (t) => {
  const { store, names } = await openStore(t)
  await store.put('a/b/1.mp4', bytesOf('x'), { contentType })
  await store.put('a/2.mp4', bytesOf('x'), { contentType })
  await store.delete(['a/b/1.mp4'])
  t.strictSame((await names()).sort(), ['a', 'a/2.mp4'])
  await store.delete(['a/2.mp4'])
  t.strictSame(await names(), [])
})

t.test('a folder restored from a backup holds the same objects', async (t) => {
  const { store, directory } = await openStore(t)
  await store.put('a/1.mp4', bytesOf('x'), { contentType })
  const restored = await openStore(t)
  execFileSync('sh', ['-c', `tar -C ${directory} -c . | tar -C ${restored.directory} -x`])
  t.strictSame(await restored.store.head('a/1.mp4'), await store.head('a/1.mp4'))
})

t.test('a presigned PUT that is too large', async (t) => {
  const { store, names } = await openStore(t, 1_000)
  const url = await store.presignPut('a/1.mp4', { contentType, expiresIn: 60 })
  const send = async (body: Uint8Array<ArrayBuffer> | ReadableStream) => {
    const response = await fetch(url, { method: 'PUT', body, headers: { 'content-type': contentType }, duplex: 'half' })
    return [response.status, await response.text()]
  }
  const refusal = [413, JSON.stringify({ message: 'The file is larger than 1000 bytes', error_code: 9 })]
  t.strictSame(await send(randomBytes(1_001)), refusal, 'as its length says')
  t.strictSame(await send(ReadableStream.from([randomBytes(600), randomBytes(401)])), refusal, 'without a length')
  t.strictSame(await names(), [])
  t.strictSame(await send(randomBytes(1_000)), [200, ''])
})

t.test('a client that goes away leaves nothing', async (t) => {
  const { store, names } = await openStore(t)
  const url = await store.presignPut('a/1.mp4', { contentType, expiresIn: 60 })
  const client = request(url, { method: 'PUT', headers: { 'content-type': contentType, 'content-length': 1_000_000 } })
  client.on('error', () => {})
  client.write(randomBytes(500_000))
  while ((await names()).length === 0) await new Promise(setImmediate)
  client.destroy()
  while ((await names()).length > 0) await new Promise(setImmediate)
  t.equal(await store.head('a/1.mp4'), undefined)
})
