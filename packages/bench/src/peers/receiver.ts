/**
 * Other ways to store a recording, each in a process of its own. The argument chooses one: `sdk` uploads a file on disk
 * and is the limit; `tus` is @tus/server with its S3 store; `read-all` reads the whole file into memory first.
 */
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { finished, type Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import multipart from '@fastify/multipart'
import { S3Store } from '@tus/s3-store'
import { Server } from '@tus/server'
import Fastify from 'fastify'

const way = process.argv[2]
const { PORT, S3_ENDPOINT = '', S3_BUCKET = '', S3_ACCESS_KEY_ID = '', S3_SECRET_ACCESS_KEY = '' } = process.env
const client = {
  endpoint: S3_ENDPOINT,
  region: 'us-east-1',
  forcePathStyle: true,
  credentials: { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY },
  requestChecksumCalculation: 'WHEN_REQUIRED' as const,
}
const s3 = new S3Client(client)
let count = 0
const send = (Body: Readable | Buffer) =>
  new Upload({ client: s3, params: { Bucket: S3_BUCKET, Key: `peers/${way}-${++count}`, Body } }).done()

/** The body of a request names the file on disk. */
function startSdk() {
  createServer(async (request, response) => {
    if (request.method === 'POST') {
      const body = await json(request)
      if (typeof body !== 'object' || !body || !('file' in body)) throw new Error('no file')
      await send(createReadStream(String(body.file)))
    }
    response.end()
  }).listen(Number(PORT), '127.0.0.1')
}

function startTus() {
  const datastore = new S3Store({ s3ClientConfig: { ...client, bucket: S3_BUCKET } })
  const tus = new Server({ path: '/files', datastore })
  createServer(async (request, response) => {
    if (request.url === '/ready') return response.end()
    await tus.handle(request, response)
    finished(response, () => {})
  }).listen(Number(PORT), '127.0.0.1')
}

async function startReadAll() {
  const app = Fastify()
  await app.register(multipart, { limits: { fileSize: Number.POSITIVE_INFINITY } })
  app.get('/ready', async () => 'ready')
  app.post('/upload', async (request, reply) => {
    const part = await request.file()
    if (!part) throw new Error('no part')
    await send(await part.toBuffer())
    return reply.code(201).send()
  })
  await app.listen({ port: Number(PORT), host: '127.0.0.1' })
}

if (way === 'sdk') startSdk()
else if (way === 'tus') startTus()
else await startReadAll()
