/** What the bearer of a presigned URL can do on a real S3 server, and what a versioned bucket keeps. */
import { randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketPolicyCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3'
import { bareBucket, bucketClient, s3RequestHeaders, storeBackends, testBucket } from '@playtherapy/testing'
import t from 'tap'
import { createS3Store, describeBucket, prepareBucket, UnsafeUploadsError } from '../src/index.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'
const contentType = 'video/mp4'

t.test('no header of the S3 API reads another object', { skip }, async (t) => {
  const settings = await testBucket()
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const secret = `video/${randomUUID()}/secret.mp4`
  await store.put(secret, Buffer.from('secret'), { contentType })
  const outcomes: Record<'refused' | 'plain' | 'marked', string[]> = { refused: [], plain: [], marked: [] }
  await Promise.all(
    s3RequestHeaders(settings.bucket, secret).map(async ([name, value, more], index) => {
      const key = `video/${randomUUID()}/${index}.mp4`
      const url = await store.presignPut(key, { contentType, expiresIn: 60 })
      const headers = { 'content-type': contentType, ...more, [name]: value }
      const answer = await fetch(url, { method: 'PUT', body: name.includes('copy') ? '' : 'own', headers })
      await answer.text()
      const found = await store.inspectUpload(key, 100)
      t.not(found && `${Buffer.from(found.start)}`, 'secret', name)
      const open = await fetch(url.split('?')[0] ?? '')
      await open.text()
      t.notOk(open.ok, `${name}: nobody reads it without a key`)
      outcomes[found === undefined ? 'refused' : found.isPlain ? 'plain' : 'marked'].push(name)
    }),
  )
  t.strictSame(
    [...new Set(outcomes.marked)].sort(),
    [
      'content-disposition',
      'content-encoding',
      'x-amz-meta-attempt',
      'x-amz-tagging',
      'x-amz-website-redirect-location',
    ],
    'what the server obeys is seen afterwards',
  )
  for (const name of ['x-amz-copy-source', 'x-amz-acl', 'x-amz-grant-read']) {
    t.notOk(outcomes.plain.includes(name), `${name} is refused`)
  }
})

t.test('a presigned URL allows one PUT and nothing else', { skip }, async (t) => {
  const settings = await testBucket()
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const key = `video/${randomUUID()}.mp4`
  await store.put(`${key}-secret`, Buffer.from('secret'), { contentType })
  const url = await store.presignPut(key, { contentType, expiresIn: 60 })
  const headers = { 'content-type': contentType }
  const more = [
    ...['acl', 'tagging', 'uploads', 'retention', 'legal-hold', 'torrent', 'versionId=null', 'partNumber=1&uploadId=2'],
    ...[
      'x-amz-acl=public-read',
      `x-amz-copy-source=/${settings.bucket}/${key}-secret`,
      'X-Amz-Expires=9',
      'append&position=0',
    ],
  ]
  for (const query of more) {
    const answer = await fetch(`${url}&${query}`, { method: 'PUT', headers, body: 'own' })
    t.equal(answer.status, 403, `${query}: ${await answer.text()}`)
  }
  for (const method of ['GET', 'HEAD', 'DELETE', 'POST']) {
    const answer = await fetch(url, { method, headers })
    await answer.text()
    t.equal(answer.status, 403, method)
  }
  t.equal(await store.head(key), undefined)
})

t.test('URLs are given out only if the attacks fail', { skip }, async (t) => {
  const bare = await bareBucket(t)
  const { upload } = await testBucket()
  const stores = { bare, 'with a key that may only write': { ...bare, ...(upload && { upload }) } }
  for (const [what, settings] of Object.entries(stores)) {
    const store = createS3Store(settings)
    t.teardown(() => store.close())
    const { safe, notice } = await store.judgeUploads()
    t.equal(safe, false, what)
    t.match(notice, what === 'bare' ? /copy any object/ : /open an object to everybody/)
    await t.rejects(store.presignPut('video/1.mp4', { contentType, expiresIn: 60 }), UnsafeUploadsError)
    for await (const { key } of store.unfinished('')) t.fail(`${key} was left`)
  }

  await prepareBucket(bare, { corsOrigins: ['http://localhost:3000'] })
  for (const settings of Object.values(stores)) {
    const store = createS3Store(settings)
    t.teardown(() => store.close())
    t.strictSame(await store.judgeUploads(), { safe: true })
    t.match(await store.presignPut('video/1.mp4', { contentType, expiresIn: 60 }), /^http/)
  }
})

t.test(
  'where the public address cannot be reached, the store itself is tried, and that is said',
  { skip },
  async (t) => {
    const publicEndpoint = 'http://127.0.0.1:1'
    for (const [settings, safe] of [
      [await testBucket(), true],
      [await bareBucket(t), false],
    ] as const) {
      const store = createS3Store({ ...settings, publicEndpoint })
      t.teardown(() => store.close())
      t.match(await store.judgeUploads(), { safe, notice: /^http:\/\/127\.0\.0\.1:1 cannot be reached from here/ })
    }
    const down = createS3Store({ ...(await bareBucket(t)), endpoint: publicEndpoint })
    t.teardown(() => down.close())
    await t.rejects(down.judgeUploads())
    await t.rejects(down.presignPut('video/1.mp4', { contentType, expiresIn: 60 }))
  },
)

t.test('statements of others stay in the policy', { skip }, async (t) => {
  const settings = await bareBucket(t)
  const s3 = bucketClient(t, settings)
  const { bucket: Bucket } = settings
  const theirs = {
    Sid: 'theirs',
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:DeleteBucket',
    Resource: `arn:aws:s3:::${Bucket}`,
  }
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [theirs] })
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }))
  const statements = async () => {
    const { Policy = '' } = await s3.send(new GetBucketPolicyCommand({ Bucket }))
    return JSON.parse(Policy).Statement
  }
  for (let times = 0; times < 2; times++) await prepareBucket(settings, { corsOrigins: ['http://localhost:3000'] })
  t.strictSame((await statements())[0], theirs)
  t.equal((await statements()).length, 8, 'ours once')
})

for (const Status of ['Enabled', 'Suspended'] as const) {
  t.test(`a bucket with versioning ${Status} keeps nothing that was removed`, { skip }, async (t) => {
    const settings = await testBucket()
    const s3 = bucketClient(t, settings)
    const { bucket: Bucket } = settings
    const early = createS3Store(settings)
    await early.put('early/1.mp4', Buffer.from('x'), { contentType })
    await early.delete(['early/2.mp4'])
    const configure = (state: 'Enabled' | 'Suspended') =>
      s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: state } }))
    const left = async () => {
      const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }))
      return [...Versions, ...DeleteMarkers].map(({ Key }) => Key ?? '').sort()
    }
    const write = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body }))

    await configure('Enabled')
    await early.delete(['early/1.mp4'])
    t.strictSame(await left(), [], 'a process that knew the bucket without versions notices')

    const store = createS3Store(settings)
    t.teardown(() => {
      early.close()
      store.close()
    })
    for (const body of ['one', 'three']) await write('a/1.mp4', body)
    await write('a/1.mp4x', 'of another')
    await write('a/2.mp4', 'hidden')
    await configure(Status)
    await write('a/1.mp4', 'last')
    // Older releases deleted in this way.
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a/2.mp4' }))
    const listed = []
    for await (const { key, size } of store.list('a/')) listed.push([key, size])
    t.strictSame(
      listed,
      [
        ['a/1.mp4', 12],
        ['a/1.mp4x', 10],
        ['a/2.mp4', 6],
      ],
      'with what is hidden, each key once',
    )
    t.equal(await store.head('a/2.mp4'), undefined)

    await store.delete(['a/1.mp4', 'a/2.mp4', 'a/none.mp4'])
    t.strictSame(await left(), ['a/1.mp4x'])

    const abort = new AbortController()
    const body = async function* () {
      yield Buffer.from('x')
      setTimeout(() => abort.abort(new Error('disconnected')))
      yield Buffer.from('y')
    }
    await t.rejects(store.put('a/3.mp4', body(), { contentType, signal: abort.signal }).then(() => Promise.reject()))
    await store.delete(['a/1.mp4x', 'a/3.mp4'])
    t.strictSame(await left(), [])
    const told = Status === 'Enabled' ? /^The bucket keeps versions\./ : /^The bucket kept versions once/
    t.match(await describeBucket(settings), [told])
  })
}

t.test('more versions than fit into one response are removed', { skip }, async (t) => {
  const settings = await testBucket()
  const s3 = bucketClient(t, settings)
  const store = createS3Store(settings)
  t.teardown(() => store.close())
  const { bucket: Bucket } = settings
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))
  const keys = Array.from({ length: 40 }, (_, index) => `a/${10 + index}.mp4`)
  // 28 for each key, so that the versions of one key are in two responses of a thousand each. A marker is made faster.
  for (let round = 0; round < 3; round++) {
    await Promise.all(keys.map((Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))))
  }
  const Objects = keys.map((Key) => ({ Key }))
  for (let round = 0; round < 25; round++) await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
  const listed = []
  for await (const { key, size } of store.list('a/')) listed.push([key, size])
  t.strictSame(
    listed,
    keys.map((key) => [key, 3]),
  )
  await store.delete(keys)
  const { Versions, DeleteMarkers } = await s3.send(new ListObjectVersionsCommand({ Bucket }))
  t.strictSame([Versions, DeleteMarkers], [undefined, undefined])
})

t.test('a bucket with Object Lock is reported, and a plain one is not', { skip }, async (t) => {
  t.strictSame(await describeBucket(await testBucket()), [])
  const settings = { ...(await bareBucket(t)), bucket: `lock-${randomUUID()}` }
  await bucketClient(t, settings).send(
    new CreateBucketCommand({ Bucket: settings.bucket, ObjectLockEnabledForBucket: true }),
  )
  const versions = /^The bucket keeps versions/
  t.match(await describeBucket(settings), [versions, /^The bucket has Object Lock\. Workers lock the heads/])
  await bucketClient(t, settings).send(
    new PutObjectLockConfigurationCommand({
      Bucket: settings.bucket,
      ObjectLockConfiguration: {
        ObjectLockEnabled: 'Enabled',
        Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } },
      },
    }),
  )
  t.match(await describeBucket(settings), [versions, /^The bucket has Object Lock with a default retention/])
})
