import { request as openRequest } from 'node:http'
import { createFileStore, fileRoutes } from '@playtherapy/object-store'
import { testHost, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { admitUploads } from '../src/admit-upload.ts'

const contentType = 'video/mp4'

/** The folder store with its routes, as the local stack has them. */
async function openFolder(t: Test, windowMs?: number) {
  const options = { directory: t.testdir(), secret: 'signs the URLs of tests' }
  const routes = fileRoutes({
    store: createFileStore({ ...options, publicUrl: 'http://-' }),
    admit: admitUploads(windowMs),
  })
  const served = await testHost(t, routes)
  const store = createFileStore({ ...options, publicUrl: served.url })
  const urlOf = (session: number, video: number) =>
    store.presignPut(`video/LOCAL/1/${session}/${video}.mp4`, { contentType, expiresIn: 60 })
  const headers = { 'content-type': contentType }
  const put = async (url: string) => {
    const response = await fetch(url, { method: 'PUT', body: 'x', headers })
    return { status: response.status, retry: response.headers.get('retry-after'), body: await response.text() }
  }
  /** An upload that has begun and does not go on. */
  const begin = (url: string) => {
    const request = openRequest(url, { method: 'PUT', agent: false, headers })
    request.on('error', () => {}).write('x')
    return request
  }
  const unfinished = async () => {
    const names: string[] = []
    // Of session 1 alone: what an ended upload into session 2 brought stays until it is adopted.
    for await (const { key } of store.unfinished('video/LOCAL/1/1/')) names.push(key)
    return names.length
  }
  const openUploads = (count: number) => until(`${count} open uploads`, async () => (await unfinished()) === count)
  return { store, urlOf, put, begin, openUploads }
}

t.test('presigned uploads into one session leave room for the others', async (t) => {
  const { urlOf, put, begin, openUploads } = await openFolder(t)
  const url = await urlOf(1, 1)
  // One URL may be used many times at once.
  const open = Array.from({ length: 16 }, () => begin(url))
  await openUploads(16)
  t.match(await put(url), { status: 429, retry: /^\d+$/, body: /"error_code":10/ })
  t.match(await put(await urlOf(1, 2)), { status: 429 }, 'nor by another URL of the session')
  t.match(await put(await urlOf(2, 3)), { status: 200 }, 'others notice nothing')
  t.match(await put(url.replace('1.mp4', '9.mp4')), { status: 403 }, 'without a valid URL there is nothing to take')
  const asJson = { method: 'PUT', body: '{}', headers: { 'content-type': 'application/json' } }
  t.equal((await fetch(url, asJson)).status, 403, 'whatever its type, a body that streams is not read as JSON')
  for (const request of open) request.destroy()
  await openUploads(0)
  t.match(await put(url), { status: 200 }, 'what was broken off gave its place back')
})

t.test('a presigned upload that drips is cut', async (t) => {
  const { store, urlOf, begin, openUploads } = await openFolder(t, 300)
  const dripping = [begin(await urlOf(1, 1)), begin(await urlOf(1, 1))]
  await openUploads(2)
  const timer = setInterval(() => dripping.map((request) => request.destroyed || request.write('x')), 10)
  await Promise.all(dripping.map((request) => new Promise((resolve) => request.once('close', resolve))))
  clearInterval(timer)
  await openUploads(0)
  t.equal(await store.inspectUpload('video/LOCAL/1/1/1.mp4', 9), undefined, 'and leaves nothing')
})
