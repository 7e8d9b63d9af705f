import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import { objectStoreSuite } from '@playtherapy/testing'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { createFileStore, fileRoutes } from '../src/index.ts'

const contentType = 'video/mp4'

/** A file store in a new folder, with its routes on a real server. */
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
  /** All files in the folder except unfinished uploads. */
  const names = async () => (await readdir(directory, { recursive: true })).filter((name) => name !== '.unfinished')
  return { store, directory, names }
}

const bytesOf = (text: string) => Readable.from([Buffer.from(text)])

t.test('the folder store passes the contract suite', async (t) => {
  const { store } = await openStore(t)
  objectStoreSuite(t, store)
})

t.test('no key leaves the folder, or names an unfinished upload', async (t) => {
  const { store, names } = await openStore(t)
  for (const key of ['../x', 'a/../../x', '/x', 'a//x', 'a/', '', '.', '.unfinished/x', 'a\0b', 'a\\b']) {
    await t.rejects(store.put(key, bytesOf('x'), { contentType }), { message: 'not a key' }, JSON.stringify(key))
    await t.rejects(store.get(key))
    await t.rejects(store.delete([key]))
  }
  t.strictSame(await names(), [])
})

t.test('empty folders are removed', async (t) => {
  const { store, names } = await openStore(t)
  await store.put('a/b/1.mp4', bytesOf('x'), { contentType })
  await store.put('a/2.mp4', bytesOf('x'), { contentType })
  await store.delete(['a/b/1.mp4'])
  t.strictSame((await names()).sort(), ['a', 'a/2.mp4'])
  await store.delete(['a/2.mp4'])
  t.strictSame(await names(), [])
})

/** Path and mode of everything in a folder, and of the folder itself. */
async function modesOf(directory: string) {
  const paths = ['.', ...(await readdir(directory, { recursive: true }))]
  const found = await Promise.all(paths.map(async (path) => [path, (await stat(join(directory, path))).mode & 0o777]))
  return Object.fromEntries(found)
}

t.test('only the owner can read what is stored, whatever the umask', async (t) => {
  const before = process.umask(0)
  t.teardown(() => process.umask(before))
  const parent = await mkdtemp(join(tmpdir(), 'playtherapy-objects-'))
  t.teardown(() => rm(parent, { recursive: true }))
  const directory = join(parent, 'made', 'here')
  const store = createFileStore({ directory })
  let midway = {}
  const body = async function* () {
    yield Buffer.from('the first')
    midway = await modesOf(directory)
    yield Buffer.from(' and the last')
  }
  await store.put('a/b/1.mp4', body(), { contentType })
  const [temporary = ''] = Object.keys(midway).filter((path) => path.startsWith('.unfinished/'))
  t.strictSame(midway, { '.': 0o700, '.unfinished': 0o700, [temporary]: 0o600 }, 'from the first byte')
  t.strictSame(await modesOf(parent), {
    '.': 0o700,
    made: 0o700,
    'made/here': 0o700,
    'made/here/.unfinished': 0o700,
    'made/here/a': 0o700,
    'made/here/a/b': 0o700,
    'made/here/a/b/1.mp4': 0o600,
  })
})

t.test('an open folder of an older version is closed', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-objects-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await mkdir(join(directory, 'a/b'), { recursive: true })
  await mkdir(join(directory, '.unfinished'))
  await writeFile(join(directory, 'a/b/1.mp4'), 'x')
  await writeFile(join(directory, '.unfinished/a%2F2.mp4~1'), 'x')
  await symlink('/etc/hosts', join(directory, 'a/elsewhere'))
  const { mode } = await stat('/etc/hosts')
  for (const path of ['.', 'a', 'a/b', '.unfinished']) await chmod(join(directory, path), 0o755)
  const store = createFileStore({ directory })
  t.equal((await stat(directory)).mode & 0o777, 0o700, 'at once')
  const folders = { '.': 0o700, a: 0o700, 'a/b': 0o700, '.unfinished': 0o700 }
  const whole = { ...folders, 'a/b/1.mp4': 0o600, '.unfinished/a%2F2.mp4~1': 0o600 }
  const isClosed = async () => {
    const { 'a/elsewhere': _outside, ...modes } = await modesOf(directory)
    return isDeepStrictEqual(modes, whole)
  }
  while (!(await isClosed())) await new Promise(setImmediate)
  t.equal((await stat('/etc/hosts')).mode, mode, 'nothing outside is touched')
  t.match(await store.head('a/b/1.mp4'), { size: 1 })
})

t.test('a folder restored from a backup holds the same objects', async (t) => {
  const { store, directory } = await openStore(t)
  await store.put('a/1.mp4', bytesOf('x'), { contentType })
  const restored = await openStore(t)
  execFileSync('sh', ['-c', `tar -C ${directory} -c . | tar -C ${restored.directory} -x`])
  t.strictSame(await restored.store.head('a/1.mp4'), await store.head('a/1.mp4'))
})

t.test('a presigned PUT that is too large is refused', async (t) => {
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

t.test('nothing is stored when the client disconnects', async (t) => {
  const { store, names } = await openStore(t)
  const url = await store.presignPut('a/1.mp4', { contentType, expiresIn: 60 })
  const client = request(url, { method: 'PUT', headers: { 'content-type': contentType, 'content-length': 1_000_000 } })
  client.on('error', () => {})
  client.write(randomBytes(500_000))
  while ((await names()).length === 0) await new Promise(setImmediate)
  client.destroy()
  while ((await names()).length > 0) await new Promise(setImmediate)
  t.equal(await store.inspectUpload('a/1.mp4', 9), undefined)
})

t.test('a presigned URL says which type it is for, and when its upload has ended', async (t) => {
  const { store } = await openStore(t)
  const url = await store.presignPut('a/1.mp4', { contentType, expiresIn: 60 })
  const send = async (headers: Record<string, string>) => {
    const response = await fetch(url, { method: 'PUT', body: randomBytes(10), headers })
    return [response.status, await response.text()]
  }
  const refusal = (message: string) => [403, JSON.stringify({ message, error_code: 0 })]
  const wanted = 'the URL is for an upload with the header Content-Type: video/mp4'
  for (const type of ['video/quicktime', 'application/octet-stream', 'multipart/form-data; boundary=x', 'VIDEO']) {
    t.strictSame(await send({ 'content-type': type }), refusal(wanted), type)
  }
  t.strictSame(await send({}), refusal(wanted), 'no type')
  t.strictSame(await send({ 'content-type': contentType }), [200, ''])
  const upload = await store.inspectUpload('a/1.mp4', 9)
  await store.adoptUpload('a/1.mp4', upload?.etag ?? '')
  await store.abortUploads('a/1.mp4')
  const ended = 'the upload of this URL has ended; another upload needs a new URL'
  t.strictSame(await send({ 'content-type': contentType }), refusal(ended))
})

t.test('a presigned PUT ignores other headers', async (t) => {
  const { store, names } = await openStore(t)
  await store.put('other/secret.mp4', bytesOf('secret'), { contentType })
  const before = await names()
  const attempts: [what: string, headers: Record<string, string>, query?: string][] = [
    ['a copy', { 'x-amz-copy-source': '/bucket/other/secret.mp4' }],
    ['a copy of a range', { 'x-amz-copy-source': 'other/secret.mp4', 'x-amz-copy-source-range': 'bytes=0-3' }],
    ['another method', { 'x-http-method-override': 'GET', 'x-http-method': 'DELETE' }],
    ['an access list', { 'x-amz-acl': 'public-read', 'x-amz-meta-a': 'b', 'x-amz-tagging': 'a=b' }],
    [
      'another place',
      { 'x-original-url': '/objects/other/secret.mp4', 'x-rewrite-url': '/', 'x-accel-redirect': '/x' },
    ],
    ['an encoding', { 'content-encoding': 'aws-chunked', 'content-range': 'bytes 0-3/10' }],
    ['more in the query', {}, '&uploads&acl&partNumber=1&uploadId=2&x-amz-copy-source=other/secret.mp4'],
  ]
  for (const [index, [what, headers, query = '']] of attempts.entries()) {
    const url = await store.presignPut(`mine/${index}.mp4`, { contentType, expiresIn: 60 })
    const answer = await fetch(url + query, {
      method: 'PUT',
      body: 'own',
      headers: { 'content-type': contentType, ...headers },
    })
    t.equal(answer.status, 200, what)
    t.equal(await answer.text(), '', what)
    const found = await store.inspectUpload(`mine/${index}.mp4`, 100)
    t.equal(`${Buffer.from(found?.start ?? [])}`, 'own', what)
    for (const method of ['GET', 'HEAD', 'DELETE', 'POST', 'PATCH']) {
      t.equal((await fetch(url, { method, headers: { 'content-type': contentType } })).status, 404, method)
    }
    await store.abortUploads(`mine/${index}.mp4`)
  }
  const url = await store.presignPut('mine/1.mp4', { contentType, expiresIn: 60 })
  const moved = url.replace('mine/1', 'mine/..%2Fother/secret')
  t.equal((await fetch(moved, { method: 'PUT', body: 'x', headers: { 'content-type': contentType } })).status, 403)
  const twice = await fetch(`${url}&signature=x&expires=9`, {
    method: 'PUT',
    body: 'x',
    headers: { 'content-type': contentType },
  })
  t.notOk(twice.ok, 'two signatures are none')
  t.strictSame(await names(), before)
})
