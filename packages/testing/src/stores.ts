import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import {
  createFileStore,
  createS3Store,
  type ObjectStore,
  prepareBucket,
  type S3Settings,
} from '@playtherapy/object-store'
import type { Teardown } from './database.ts'
import { randomName } from './names.ts'
import { kmsKey } from './servers/s3.ts'

export type StoreBackend = 'file' | 's3'

/** The object stores that can be tested here. Tests that store objects run on each. */
export const storeBackends: StoreBackend[] = process.env.TEST_S3 ? ['file', 's3'] : ['file']

/** Makes a bucket for one test and returns its settings. It is removed together with the server. */
export async function testBucket(corsOrigins = ['http://localhost:3000']): Promise<S3Settings> {
  const server = process.env.TEST_S3
  if (!server) throw new Error('TEST_S3 is not set: run tests through `npm test`')
  const settings: S3Settings = { ...JSON.parse(server), bucket: randomName().replaceAll('_', '-') }
  await prepareBucket(settings, { corsOrigins })
  return settings
}

/** Settings that ask the server for encryption with the key that it has. */
export const encrypted = (settings: S3Settings): S3Settings => ({
  ...settings,
  encryption: { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKey },
})

/** Returns how each object of a bucket is encrypted, by its key. */
export async function encryptionsIn(t: Teardown, settings: S3Settings): Promise<Map<string, string>> {
  const s3 = bucketClient(t, settings)
  const { bucket: Bucket } = settings
  const found = new Map<string, string>()
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket })) {
    for (const { Key = '' } of Contents) {
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key }))
      found.set(Key, `${head.ServerSideEncryption} ${head.SSEKMSKeyId}`)
    }
  }
  return found
}

/** Returns an S3 client for what a test does as an attacker or an operator. It is closed after the test. */
export function bucketClient(t: Teardown, { region, endpoint = '', ...settings }: S3Settings): S3Client {
  const { accessKeyId, secretAccessKey } = settings
  const client = new S3Client({
    region,
    endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  t.teardown(() => client.destroy())
  return client
}

/** Makes a bucket without our lifecycle rules and policy, and returns settings without a key for uploads. */
export async function bareBucket(t: Teardown): Promise<S3Settings> {
  const { upload: _none, ...settings } = await testBucket()
  const bucket = randomName().replaceAll('_', '-')
  await bucketClient(t, settings).send(new CreateBucketCommand({ Bucket: bucket }))
  return { ...settings, bucket }
}

/** Sets versioning, then writes and deletes an object under each of these keys, which leaves hidden versions. */
export async function hideVersions(
  t: Teardown,
  settings: S3Settings,
  Status: 'Enabled' | 'Suspended',
  keys: string[],
): Promise<void> {
  const s3 = bucketClient(t, settings)
  const { bucket: Bucket } = settings
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))
  for (const Key of keys) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: Status }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key }))
  }
}

/** Writes over an object, or deletes it, as whoever has the key of the bucket. */
export async function replaceObject(t: Teardown, settings: S3Settings, Key: string, Body?: string): Promise<void> {
  const place = { Bucket: settings.bucket, Key }
  const s3 = bucketClient(t, settings)
  await (Body === undefined
    ? s3.send(new DeleteObjectCommand(place))
    : s3.send(new PutObjectCommand({ ...place, Body })))
}

/** Writes over an object what the server gives out only to who has a key of encryption that ours does not have (SSE-C). */
export async function encryptForeign(t: Teardown, settings: S3Settings, Key: string): Promise<void> {
  const key = randomBytes(32)
  await bucketClient(t, settings).send(
    new PutObjectCommand({
      ...{ Bucket: settings.bucket, Key, Body: '{}', SSECustomerAlgorithm: 'AES256' },
      SSECustomerKey: key.toString('base64'),
      SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
    }),
  )
}

/** Returns the key of every version and every delete marker in a bucket. */
export async function versionsIn(t: Teardown, settings: S3Settings): Promise<string[]> {
  const list = new ListObjectVersionsCommand({ Bucket: settings.bucket })
  const { Versions = [], DeleteMarkers = [] } = await bucketClient(t, settings).send(list)
  return [...Versions, ...DeleteMarkers].map(({ Key = '' }) => Key)
}

/** Makes an object store of the given kind for one test. */
export async function testStore(t: Teardown, backend: StoreBackend): Promise<ObjectStore> {
  if (backend === 's3') {
    const store = createS3Store(await testBucket())
    t.teardown(() => store.close())
    return store
  }
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-objects-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return createFileStore({ directory, publicUrl: 'http://localhost:8080', secret: randomName() })
}

/** Makes a bucket with Object Lock and returns its settings. */
export async function lockingBucket(t: Teardown): Promise<S3Settings> {
  const settings = { ...(await bareBucket(t)), bucket: randomName().replaceAll('_', '-') }
  await bucketClient(t, settings).send(
    new CreateBucketCommand({ Bucket: settings.bucket, ObjectLockEnabledForBucket: true }),
  )
  return settings
}

/** Locks an object until a moment, or by a legal hold, which it also releases. */
export async function lockObject(
  t: Teardown,
  settings: S3Settings,
  Key: string,
  lock: Date | 'held' | 'released',
): Promise<void> {
  const s3 = bucketClient(t, settings)
  const place = { Bucket: settings.bucket, Key }
  if (lock instanceof Date) {
    const Retention = { Mode: 'COMPLIANCE' as const, RetainUntilDate: lock }
    await s3.send(new PutObjectRetentionCommand({ ...place, Retention }))
  } else {
    const LegalHold = { Status: lock === 'held' ? ('ON' as const) : ('OFF' as const) }
    await s3.send(new PutObjectLegalHoldCommand({ ...place, LegalHold }))
  }
}
