import { objectStoreSuite, storeBackends, testBucket } from '@playtherapy/testing'
import t from 'tap'
import { createS3Store, prepareBucket } from '../src/index.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

t.test('S3', { skip }, async (t) => {
  const store = createS3Store(await testBucket())
  t.teardown(() => store.close())
  objectStoreSuite(t, store)
})

t.test('a bucket is prepared, as often as one likes', { skip }, async (t) => {
  const origin = 'https://app.example'
  const settings = await testBucket([origin])
  t.strictSame(await prepareBucket(settings, { corsOrigins: [origin] }), [])
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const url = await store.presignPut('1.mp4', { contentType: 'video/mp4', expiresIn: 60 })
  const preflight = (from: string) =>
    fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'content-type',
      },
    })
  const allowed = await preflight(origin)
  t.equal(allowed.status, 200)
  t.equal(allowed.headers.get('access-control-allow-origin'), origin)
  t.equal((await preflight('https://other.example')).headers.get('access-control-allow-origin'), null)
})

t.test('a presigned URL is for the address that browsers use', { skip }, async (t) => {
  const settings = await testBucket()
  const store = createS3Store({ ...settings, publicEndpoint: 'https://objects.example' })
  t.teardown(() => store.close())
  const url = new URL(await store.presignPut('a/1.mp4', { contentType: 'video/mp4', expiresIn: 60 }))
  t.equal(url.origin + url.pathname, `https://objects.example/${settings.bucket}/a/1.mp4`)
  t.equal(url.searchParams.get('X-Amz-SignedHeaders'), 'content-type;host')
  t.notMatch(url.search, /checksum|crc/i)
})

t.test('a check tells what is wrong', { skip }, async (t) => {
  const settings = await testBucket()
  for (const wrong of [{ bucket: 'none-here' }, { secretAccessKey: 'wrong' }, { endpoint: 'http://127.0.0.1:1' }]) {
    const store = createS3Store({ ...settings, ...wrong })
    t.teardown(() => store.close())
    await t.rejects(store.check())
  }
})
