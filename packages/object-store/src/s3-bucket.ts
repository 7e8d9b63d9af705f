import {
  CreateBucketCommand,
  GetBucketPolicyCommand,
  GetBucketReplicationCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
  PutBucketCorsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { requestHeaders, responseHeaders } from './client-headers.ts'
import { uploadKey } from './keys.ts'
import type { Keeping } from './object-store.ts'
import { openClient, type S3Settings, statusOf } from './s3-client.ts'

/**
 * Creates the bucket if it is missing, allows browsers of these origins to PUT and GET, lets the server remove unfinished
 * uploads after two days, encrypts by default as the settings say, and forbids copies and other readers below `video/`. Returns the
 * rules that the server refused.
 */
export async function prepareBucket(
  settings: S3Settings,
  { corsOrigins }: { corsOrigins: string[] },
): Promise<string[]> {
  const s3 = openClient(settings)
  const Bucket = settings.bucket
  const refused: string[] = []
  try {
    await s3.send(new HeadBucketCommand({ Bucket })).catch(async (error) => {
      if (statusOf(error) !== 404) throw error
      await s3.send(new CreateBucketCommand({ Bucket }))
    })
    const cors = {
      AllowedOrigins: corsOrigins,
      AllowedMethods: ['PUT', 'GET', 'HEAD'],
      AllowedHeaders: requestHeaders,
      ExposeHeaders: responseHeaders,
      MaxAgeSeconds: 600,
    }
    await s3
      .send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [cors] } }))
      .catch((error: Error) => refused.push(`CORS (${error.name})`))
    await s3
      .send(
        new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [abortUnfinished] } }),
      )
      .catch((error: Error) => refused.push(`lifecycle (${error.name})`))
    if (settings.encryption) {
      const { ServerSideEncryption: SSEAlgorithm, SSEKMSKeyId: KMSMasterKeyID } = settings.encryption
      const rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm, KMSMasterKeyID } }
      await s3
        .send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules: [rule] } }))
        .catch((error: Error) => refused.push(`default encryption (${error.name})`))
    }
    await forbidCopies(s3, Bucket).catch((error: unknown) => {
      // A server without policies may be safe, which the canary finds out.
      if (!(error instanceof S3ServiceException)) throw error
    })
    return refused
  } finally {
    s3.destroy()
  }
}

const abortUnfinished = {
  ID: 'abort-unfinished-uploads',
  Status: 'Enabled' as const,
  Filter: { Prefix: '' },
  AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
}

/** Prefix of the names of our statements in a bucket's policy. */
const ours = 'playtherapy-'

/**
 * Adds to the bucket's policy that no key may PUT with headers that copy another object or name other readers, which some
 * servers allow with a presigned URL: copies where presigned URLs lead, because we ourselves copy from there, and other
 * readers everywhere below `video/`. `?*` demands a character, because Ceph reads a missing header as an empty one.
 */
async function forbidCopies(s3: S3Client, Bucket: string): Promise<void> {
  const grants = ['read', 'read-acp', 'write', 'write-acp', 'full-control'].map((what) => `grant-${what}`)
  const added = ['copy-source', 'acl', ...grants].map((header) => ({
    Sid: `${ours}no-${header}`,
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: `arn:aws:s3:::${Bucket}/${header === 'copy-source' ? uploadKey('*') : 'video/*'}`,
    Condition: { StringLike: { [`s3:x-amz-${header}`]: '?*' } },
  }))
  const { Policy } = await s3.send(new GetBucketPolicyCommand({ Bucket })).catch((error: unknown) => {
    if (statusOf(error) === 404) return { Policy: undefined }
    throw error
  })
  const kept: unknown = Policy ? JSON.parse(Policy) : { Version: '2012-10-17', Statement: [] }
  // A policy in another form is not changed: the canary finds out whether it is enough.
  if (!Value.Check(KnownPolicy, kept)) return
  const others = kept.Statement.filter(({ Sid }) => !Sid?.startsWith(ours))
  const policy = { ...kept, Statement: [...others, ...added] }
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policy) }))
}

const KnownPolicy = Type.Object({ Statement: Type.Array(Type.Object({ Sid: Type.Optional(Type.String()) })) })

/** `none` is what the server says of a bucket without the setting, or a server that does not know it; undefined where the key may not ask. */
const ask = async <T>(question: Promise<T>, none: T): Promise<T | undefined> =>
  question.catch((error: unknown) => {
    if (!(error instanceof S3ServiceException)) throw error
    return [404, 405, 501].includes(statusOf(error) ?? 0) ? none : undefined
  })

/** Whether a bucket has Object Lock, and whether it locks by itself all that is written; undefined where the key may not ask. */
export const objectLockOf = (s3: S3Client, Bucket: string) =>
  ask(
    s3.send(new GetObjectLockConfigurationCommand({ Bucket })).then(({ ObjectLockConfiguration: found }) => ({
      isEnabled: found?.ObjectLockEnabled === 'Enabled',
      locksAll: found?.Rule !== undefined,
    })),
    { isEnabled: false, locksAll: false },
  )

/** What may keep or copy what is removed from a bucket; undefined where the server does not tell, or the key may not ask. */
export async function keepingOf(
  s3: S3Client,
  Bucket: string,
): Promise<Keeping & { isSuspended: boolean; locksAll: boolean | undefined }> {
  const versioning = s3.send(new GetBucketVersioningCommand({ Bucket })).then(({ Status }) => Status ?? 'Never')
  const replication = s3
    .send(new GetBucketReplicationCommand({ Bucket }))
    .then(({ ReplicationConfiguration: found }) => Boolean(found?.Rules?.length))
  const [status, lock, isReplicated] = await Promise.all([
    ask<string>(versioning, 'Never'),
    objectLockOf(s3, Bucket),
    ask(replication, false),
  ])
  return {
    versions: status === undefined ? undefined : status !== 'Never',
    isSuspended: status === 'Suspended',
    lock: lock?.isEnabled,
    locksAll: lock?.locksAll,
    replication: isReplicated,
  }
}

/** Sentences for the operator about settings that keep what is erased; none for a plain bucket. */
export async function describeBucket(settings: S3Settings): Promise<string[]> {
  const s3 = openClient(settings)
  try {
    const { versions, isSuspended, lock, locksAll, replication } = await keepingOf(s3, settings.bucket)
    const sentences = {
      'The bucket keeps versions. What is deleted here is removed with all its versions; turn versioning off unless you need it.':
        versions && !isSuspended,
      'The bucket kept versions once, and still holds those of then. What is deleted here is removed with all its versions.':
        isSuspended,
      'The bucket has Object Lock with a default retention. While a lock lasts nobody can remove a recording, not even when its case is deleted, and some servers refuse uploads: take the default away.':
        lock && locksAll,
      'The bucket has Object Lock. Workers lock the heads of the audit trail for as long as the trail is kept, and nothing else.':
        lock && !locksAll,
      'The bucket is replicated. Replicas are not removed when a case is deleted: see to it in the other bucket.':
        replication,
    }
    return Object.entries(sentences).flatMap(([sentence, applies]) => (applies ? [sentence] : []))
  } finally {
    s3.destroy()
  }
}
