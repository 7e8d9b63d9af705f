import { ListObjectsV2Command, S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { StoreSilentError } from './object-store.ts'
import { ownTurn } from './own-turn.ts'
import { s3Span } from './s3-span.ts'

export interface S3Settings {
  /** The server; AWS when unset. */
  endpoint?: string
  /** The server's address for browsers. Presigned URLs are made for it, because their signature covers the host. */
  publicEndpoint?: string
  region: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  /** The key for presigned URLs, which may write but not read; the key above when unset. */
  upload?: { accessKeyId: string; secretAccessKey: string }
  /** Server-side encryption of every object that is created; that of the bucket when unset. */
  encryption?: { ServerSideEncryption: 'AES256' | 'aws:kms'; SSEKMSKeyId?: string }
  /** Puts the bucket into the path and not into the host name, as most servers other than AWS need it. */
  forcePathStyle: boolean
}

/** How long a hanging server is waited for. */
export interface Patience {
  /** A server that sends and takes no byte for so long counts as hanging; a transfer may last for hours. */
  silenceMs: number
  /** Whether a server that was silent is asked again. */
  asksAgain: boolean
}

/** For a store whose callers have clients that wait. */
export const patienceOfRequests: Patience = { silenceMs: 10_000, asksAgain: false }
/** For a store of jobs: a failover inside the server takes longer, and nobody waits, but hours of work would be lost. */
export const patienceOfJobs: Patience = { silenceMs: 60_000, asksAgain: true }

/** Attempts of a request that was refused or whose connection broke. */
export const attempts = 3

/** Statuses of a refusal whose reason an operator needs. HeadBucket answers 404 when the bucket does not exist. */
const refusals: Record<string, number[]> = {
  HeadBucketCommand: [301, 307, 400, 401, 403, 404],
  HeadObjectCommand: [301, 307, 400, 401, 403],
}

/** The requests that create objects, and only they say how these are encrypted: parts must not (400). */
const creates = ['PutObjectCommand', 'CreateMultipartUploadCommand', 'CopyObjectCommand']
export const createsObject = (commandName: string) => creates.includes(commandName)

/** A body of so many bytes is hashed in a turn of the event loop of its own: 5 MiB take from 3 to 15 ms. */
const longBodyBytes = 64 * 1024

interface ClientOptions extends Partial<Patience> {
  endpoint?: string | undefined
  /** The longest wait for the head of a response, in milliseconds. */
  requestTimeout?: number
}

/** A client of the server, whose requests reject with StoreSilentError when the server hangs. */
export function openClient(
  settings: S3Settings,
  {
    endpoint = settings.endpoint,
    requestTimeout,
    silenceMs = patienceOfRequests.silenceMs,
    asksAgain = patienceOfRequests.asksAgain,
  }: ClientOptions = {},
): S3Client {
  const s3 = new S3Client({
    region: settings.region,
    ...(endpoint && { endpoint }),
    forcePathStyle: settings.forcePathStyle,
    credentials: { accessKeyId: settings.accessKeyId, secretAccessKey: settings.secretAccessKey },
    // The default adds trailing CRC32s to streams, which several S3 servers refuse or store as content.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: attempts,
    requestHandler: {
      connectionTimeout: 5_000,
      socketTimeout: silenceMs,
      ...(requestTimeout && { requestTimeout, throwOnRequestTimeout: true }),
      // Callers bound their requests, with a share for each therapist. A bound here could delay readiness checks.
      httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
    },
  })
  // The response to a HEAD request has no body, so it does not say why it refuses. That to a list does.
  s3.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        try {
          return await next(args)
        } catch (error) {
          if (refusals[commandName]?.includes(statusOf(error) ?? 0)) {
            await s3.send(new ListObjectsV2Command({ Bucket: settings.bucket, MaxKeys: 1 }))
          }
          throw error
        }
      },
    { step: 'initialize', name: 'reasonOfRefusal' },
  )
  // Here and not where objects are written, so that none can be forgotten.
  s3.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) =>
        next(createsObject(commandName) ? { ...args, input: { ...args.input, ...settings.encryption } } : args),
    { step: 'initialize', name: 'encryption' },
  )
  // Just before the request is signed, for which the SDK hashes the body.
  s3.middlewareStack.add(
    (next) => async (args) => {
      const { input } = args
      const isLong = 'Body' in input && input.Body instanceof Uint8Array && input.Body.length >= longBodyBytes
      if (isLong) await ownTurn()
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'turnOfItsOwn' },
  )
  // Inside the retries of the SDK, which read $retryable.
  s3.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) =>
        s3Span(commandName.replace(/Command$/, ''), () => next(args), isFailure).catch((error: unknown) => {
          throw isSilence(error) ? Object.assign(new StoreSilentError(), asksAgain && { $retryable: {} }) : error
        }),
    { step: 'deserialize', name: 'silence' },
  )
  return s3
}

/** The SDK gives a connection that broke the same name as one on which nothing came. */
const isSilence = (error: unknown) =>
  error instanceof Error &&
  error.name === 'TimeoutError' &&
  !('code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE'))

/** Whether there is an object is asked before a key is written; that there is none, or another one, is an answer. */
const isFailure = (error: unknown) => ![404, 412].includes(statusOf(error) ?? 0)

/** HTTP status of the server's refusal; undefined for errors of another kind. */
export const statusOf = (error: unknown) =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
