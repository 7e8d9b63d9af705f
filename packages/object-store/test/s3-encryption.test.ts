/** Server-side encryption of everything that is written to a bucket. */
import { randomBytes } from 'node:crypto'
import { createServer, request as openRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { encrypted, encryptionsIn, kmsKey, storeBackends, type Teardown, testBucket } from '@playtherapy/testing'
import t from 'tap'
import { createS3Store, NotEncryptedError, prepareBucket, type S3Settings, type StoredPart } from '../src/index.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'
const contentType = 'video/mp4'
const { signal } = new AbortController()

function openStore(t: Teardown, settings: S3Settings) {
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  return store
}

/** Starts a server, and returns its address. */
async function listening(t: Teardown, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

/** Passes requests on, with more headers for presigned uploads; while it is down it breaks every connection. */
async function gateway(t: Teardown, settings: S3Settings, added: Record<string, string> = {}) {
  const { hostname, port } = new URL(settings.endpoint ?? '')
  const state = { isDown: false }
  const server = createServer((request, response) => {
    if (state.isDown) return void request.socket.destroy()
    const { method, url: path, headers } = request
    const more = path?.includes('X-Amz-Signature') && method === 'PUT' ? added : {}
    const forward = openRequest({ hostname, port, path, method, headers: { ...headers, ...more } }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    request.pipe(forward)
  })
  return { url: await listening(t, server), state }
}

/** A bucket whose presigned uploads are encrypted by a gateway, because Ceph 16 has no default encryption. */
async function encryptedBucket(t: Teardown): Promise<S3Settings> {
  const settings = encrypted(await testBucket())
  const { url } = await gateway(t, settings, {
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': kmsKey,
  })
  return { ...settings, publicEndpoint: url }
}

t.test('no presigned URL is given out where what it brings would not be encrypted', { skip }, async (t) => {
  const settings = encrypted(await testBucket())
  const { url } = await gateway(t, settings)
  for (const store of [openStore(t, settings), openStore(t, { ...settings, publicEndpoint: url })]) {
    t.match(await store.judgeUploads(), {
      safe: false,
      notice: /is not encrypted as S3_ENCRYPTION says.*prepare-bucket/,
    })
    await t.rejects(store.presignPut('a', { contentType, expiresIn: 60 }), { name: 'UnsafeUploadsError' })
  }
  t.equal((await encryptionsIn(t, settings)).size, 0)
})

t.test('every way to write an object asks for the encryption', { skip }, async (t) => {
  const settings = await encryptedBucket(t)
  const store = openStore(t, settings)
  await store.checkEncryption()
  t.equal((await encryptionsIn(t, settings)).size, 0, 'the check leaves nothing')

  const large = randomBytes(11_000_000)
  await store.put('whole', Buffer.from('whole'), { contentType })
  const put = await store.put('parts', Readable.from([large]), { contentType })
  t.ok((await buffer(await store.get('parts', { ifMatch: put.etag }))).equals(large))

  const parts: StoredPart[] = []
  const options = { length: 6_000_000, onPart: (part: StoredPart) => parts.push(part), signal }
  const id = await store.beginUpload('calls')
  const begun = { id, partsBytes: 0, nextPart: 1 }
  const append = (tail: Awaited<ReturnType<typeof store.appendUpload>>, from: number, to: number) =>
    store.appendUpload('calls', { ...begun, tail }, Readable.from([large.subarray(from, to)]), options)
  const tail = await append(undefined, 0, 1_000_000)
  t.equal(tail?.size, 1_000_000)
  await append(tail, 1_000_000, 6_000_000)
  await store.finishUpload('calls', id, parts)

  const url = await store.presignPut('brought', { contentType, expiresIn: 60 })
  t.match(new URL(url).searchParams.get('X-Amz-SignedHeaders'), 'content-type;host', 'clients send no other header')
  const brought = await fetch(url, { method: 'PUT', body: 'brought', headers: { 'content-type': contentType } })
  t.equal(brought.status, 200)
  const { etag = '' } = (await store.inspectUpload('brought', 10)) ?? {}
  const adopted = await store.adoptUpload('brought', etag)
  t.equal(`${await buffer(await store.get('brought', { ifMatch: adopted.etag }))}`, 'brought')
  t.match(await store.adoptUpload('brought', etag), { size: 7 }, 'once more')

  const found = await encryptionsIn(t, settings)
  t.match([...found.keys()], ['brought', 'calls', 'parts', 'video/uploads/brought', /^video\/uploads\/calls~/, 'whole'])
  for (const [key, how] of found) t.equal(how, `aws:kms ${kmsKey}`, key)
})

t.test('without the setting nothing is asked for', { skip }, async (t) => {
  const settings = await testBucket()
  const store = openStore(t, settings)
  await store.checkEncryption()
  await store.put('whole', Buffer.from('whole'), { contentType })
  t.same([...(await encryptionsIn(t, settings))], [['whole', 'undefined undefined']])
  t.notMatch(await store.presignPut('a', { contentType, expiresIn: 60 }), /server-side-encryption/)
})

t.test('a server that refuses the encryption gets nothing, and is said to', { skip }, async (t) => {
  const settings = await testBucket()
  const unknown = { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: 'no-such-key' }
  const store = openStore(t, { ...settings, encryption: unknown })
  await t.rejects(store.checkEncryption(), {
    name: 'NotEncryptedError',
    message: /^it refuses an object with the encryption \(403 /,
  })
  await t.rejects(store.put('a', Buffer.from('a'), { contentType }), { name: 'NotEncryptedError' })
  await t.rejects(store.beginUpload('a'), { name: 'NotEncryptedError' })
  await t.rejects(store.check(), { name: 'NotEncryptedError' })
  t.equal((await encryptionsIn(t, settings)).size, 0)
})

/** A server that knows nothing of encryption: it takes every object, and forgets the header. */
async function forgetfulServer(t: Teardown) {
  const objects = new Map<string, Buffer>()
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://s3')
    if (request.method === 'PUT') objects.set(pathname, await buffer(request))
    if (request.method === 'DELETE') objects.delete(pathname)
    const isMissing = request.method === 'HEAD' && pathname.length > '/bucket/'.length && !objects.has(pathname)
    response.writeHead(isMissing ? 404 : 200, { etag: '"1"', 'last-modified': new Date().toUTCString() }).end()
  })
  return { endpoint: await listening(t, server), objects }
}

const place = { region: 'here', bucket: 'bucket', accessKeyId: 'a', secretAccessKey: 'b', forcePathStyle: true }

t.test('a server that ignores the encryption gets nothing but the object that shows it', async (t) => {
  const { endpoint, objects } = await forgetfulServer(t)
  for (const encryption of [
    { ServerSideEncryption: 'AES256' as const },
    { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: 'a' },
  ]) {
    const store = openStore(t, { ...place, endpoint, encryption })
    await t.rejects(store.checkEncryption(), {
      name: 'NotEncryptedError',
      message: 'it stores an object without the encryption',
    })
    await t.rejects(store.put('a', Buffer.from('a'), { contentType }), NotEncryptedError)
    t.equal(objects.size, 0)
  }
})

/** A server that encrypts what comes in one request, by this key; objects in parts it stores as they are, or refuses. */
async function serverWithoutParts(t: Teardown, { refuses = false, keyId = '' }) {
  const encryptedKeys = new Map<string, boolean>()
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://s3')
    await buffer(request)
    const isOfParts = searchParams.has('uploads') || searchParams.has('uploadId')
    if (isOfParts && refuses) return void response.writeHead(501).end('<Error><Code>NotImplemented</Code></Error>')
    if (request.method === 'POST' && searchParams.has('uploads')) {
      return void response.end('<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>')
    }
    if (request.method === 'POST') {
      encryptedKeys.set(pathname, false)
      return void response.end('<CompleteMultipartUploadResult><ETag>"1"</ETag></CompleteMultipartUploadResult>')
    }
    if (request.method === 'PUT' && !isOfParts) encryptedKeys.set(pathname, true)
    if (request.method === 'DELETE') encryptedKeys.delete(pathname)
    const how = keyId ? { 'x-amz-server-side-encryption-aws-kms-key-id': keyId } : {}
    const kind = keyId ? 'aws:kms' : 'AES256'
    const encryption = encryptedKeys.get(pathname) ? { 'x-amz-server-side-encryption': kind, ...how } : {}
    response.writeHead(200, { etag: '"1"', 'last-modified': new Date().toUTCString(), ...encryption }).end()
  })
  return { endpoint: await listening(t, server), encryptedKeys }
}

t.test('a server that encrypts no object in parts, as recordings come, gets none', async (t) => {
  const messages = {
    stores: 'it stores an object in parts without the encryption',
    refuses: 'it refuses an object in parts with the encryption (501 NotImplemented)',
  }
  for (const [how, message] of Object.entries(messages)) {
    const { endpoint, encryptedKeys } = await serverWithoutParts(t, { refuses: how === 'refuses' })
    const store = openStore(t, { ...place, endpoint, encryption: { ServerSideEncryption: 'AES256' } })
    await t.rejects(store.checkEncryption(), { name: 'NotEncryptedError', message })
    await t.rejects(store.beginUpload('a'), NotEncryptedError)
    t.equal(encryptedKeys.size, 0, 'what was tried is removed')
  }
})

t.test('a key is another one also where its name only ends like ours', async (t) => {
  const names = [
    'a',
    'arn:aws:kms:here:1:key/a',
    'arn:aws:kms:a',
    'extra',
    'arn:aws:kms:extra',
    'arn:aws:kms:here:1:key/extra',
  ]
  for (const keyId of names) {
    const { endpoint } = await serverWithoutParts(t, { keyId })
    const store = openStore(t, {
      ...place,
      endpoint,
      encryption: { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'a' },
    })
    const what = keyId.endsWith('extra') ? 'an object' : 'an object in parts'
    await t.rejects(store.checkEncryption(), { message: `it stores ${what} without the encryption` }, keyId)
  }
})

/** A server that encrypts what it is sent and asked to, and nothing that it copies. Returns which of its keys are encrypted. */
async function serverOfPlainCopies(t: Teardown) {
  const objects = new Map<string, { body: Buffer; isEncrypted: boolean }>()
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://s3')
    const { headers, method } = request
    const body = await buffer(request)
    const key = decodeURIComponent(pathname)
    if (searchParams.has('uploads')) {
      return void response.end('<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>')
    }
    if (searchParams.has('delete')) {
      for (const [, name] of `${body}`.matchAll(/<Key>(.*?)<\/Key>/g)) objects.delete(`/bucket/${name}`)
      return void response.end('<DeleteResult></DeleteResult>')
    }
    if (searchParams.has('versioning')) return void response.end('<VersioningConfiguration></VersioningConfiguration>')
    const source = headers['x-amz-copy-source']
    const copied = typeof source === 'string' ? objects.get(`/${source}`) : undefined
    const isEncrypted = headers['x-amz-server-side-encryption'] === 'AES256'
    if (copied) objects.set(key, { ...copied, isEncrypted: false })
    else if (searchParams.has('uploadId')) objects.set(key, { body, isEncrypted: true })
    else if (method === 'PUT') objects.set(key, { body, isEncrypted })
    if (method === 'DELETE') objects.delete(key)
    const found = objects.get(key)
    if (!found && ['GET', 'HEAD'].includes(method ?? '') && key.length > '/bucket/'.length) {
      return void response.writeHead(404).end()
    }
    const length = ['GET', 'HEAD'].includes(method ?? '') && found ? { 'content-length': found.body.length } : {}
    const about = { etag: '"1"', 'last-modified': new Date().toUTCString() }
    response.writeHead(200, {
      ...length,
      ...about,
      ...(found?.isEncrypted && { 'x-amz-server-side-encryption': 'AES256' }),
    })
    if (copied) response.end('<CopyObjectResult><ETag>"1"</ETag></CopyObjectResult>')
    else if (method === 'POST') response.end('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>')
    else response.end(method === 'GET' ? found?.body : undefined)
  })
  return { endpoint: await listening(t, server), objects }
}

t.test('what a presigned URL brought is written anew where the server copies it without the encryption', async (t) => {
  const { endpoint, objects } = await serverOfPlainCopies(t)
  const store = openStore(t, { ...place, endpoint, encryption: { ServerSideEncryption: 'AES256' } })
  objects.set('/bucket/video/uploads/a', { body: Buffer.from('brought'), isEncrypted: true })
  t.match(await store.adoptUpload('a', '"1"'), { size: 7 })
  t.match(objects.get('/bucket/a'), { isEncrypted: true })
  t.equal(`${objects.get('/bucket/a')?.body}`, 'brought')
  objects.set('/bucket/a', { body: Buffer.from('brought'), isEncrypted: false })
  t.match(await store.adoptUpload('a', '"1"'), { size: 7 }, 'a process had ended in between')
  t.match(objects.get('/bucket/a'), { isEncrypted: true })
})

t.test('an outage says nothing of the encryption, and writes wait for the check', { skip }, async (t) => {
  const settings = encrypted(await testBucket())
  const { url, state } = await gateway(t, settings)
  const store = openStore(t, { ...settings, endpoint: url })
  state.isDown = true
  for (const attempt of [() => store.checkEncryption(), () => store.put('a', Buffer.from('a'), { contentType })]) {
    await attempt().then(
      () => t.fail('it is down'),
      (error: unknown) => t.notOk(error instanceof NotEncryptedError),
    )
  }
  state.isDown = false
  await store.put('a', Buffer.from('a'), { contentType })
  t.same([...(await encryptionsIn(t, settings))], [['a', `aws:kms ${kmsKey}`]])
})

t.test('prepare-bucket names the default encryption where the server has none', { skip }, async (t) => {
  const refused = await prepareBucket(encrypted(await testBucket()), { corsOrigins: ['http://localhost:3000'] })
  t.match(refused, [/^default encryption \(/])
})
