/** The calls to Garage's admin API, version 2, as its source has them: Garage itself is in no package here. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { makeGarageKey } from '../src/commands/garage-key.ts'

/** What stands in for Garage: knows one bucket and these keys, and notes what it is asked. */
async function garage(t: Test, keys: Record<string, string>) {
  const asked: [string, unknown][] = []
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://garage')
    const body = await text(request)
    asked.push([`${request.method} ${url.pathname}${url.search}`, body && JSON.parse(body)])
    const secretAccessKey = keys[url.searchParams.get('id') ?? '']
    const status =
      request.headers.authorization !== 'Bearer token'
        ? 403
        : url.pathname === '/v2/GetKeyInfo' && !secretAccessKey
          ? 404
          : 200
    response.writeHead(status).end(JSON.stringify({ id: 'b1', secretAccessKey }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('no port')
  return { url: `http://127.0.0.1:${address.port}`, asked }
}

const key = { token: 'token', bucket: 'recordings', accessKeyId: 'GK1', secretAccessKey: 's' }

t.test('a key is made that may write and not read, and made once', async (t) => {
  for (const keys of [{}, { GK1: 's' }]) {
    const { url, asked } = await garage(t, keys)
    await makeGarageKey({ ...key, url })
    const rights = (permissions: object) => ({ bucketId: 'b1', accessKeyId: 'GK1', permissions })
    t.strictSame(asked, [
      ['GET /v2/GetBucketInfo?globalAlias=recordings', ''],
      ['GET /v2/GetKeyInfo?id=GK1&showSecretKey=true', ''],
      ...('GK1' in keys ? [] : [['POST /v2/ImportKey', { accessKeyId: 'GK1', secretAccessKey: 's', name: 'uploads' }]]),
      ['POST /v2/AllowBucketKey', rights({ read: false, write: true, owner: false })],
      ['POST /v2/DenyBucketKey', rights({ read: true, write: false, owner: true })],
    ])
  }
})

t.test('a key with another secret, or a token that is wrong, ends it', async (t) => {
  const { url, asked } = await garage(t, { GK1: 'another' })
  await t.rejects(makeGarageKey({ ...key, url }), { message: /another secret/ })
  t.equal(asked.length, 2)
  await t.rejects(makeGarageKey({ ...key, url, token: 'wrong' }), { message: 'Garage answered 403 to GetBucketInfo' })
})
