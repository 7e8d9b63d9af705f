import { S3Client, S3ServiceException } from '@aws-sdk/client-s3'

export interface S3Settings {
  /** The server; AWS itself when unset. */
  endpoint?: string
  /** The same server as browsers reach it; presigned URLs are made for it, because their signature covers the host. */
  publicEndpoint?: string
  region: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  /** The key that presigned URLs are made with: one that may write and not read. The key above when unset. */
  upload?: { accessKeyId: string; secretAccessKey: string }
  /** The bucket in the path rather than in the host name; most servers other than AWS need it. */
  forcePathStyle: boolean
}

/** A connection on which nothing moves for so long is given up; a transfer may last for hours. Milliseconds. */
export const idleMs = 60_000
/** Longest wait for the head of an answer to a request that only reads, in milliseconds; tried three times. */
const answerMs = 15_000

/** A client of the server. `socketTimeout` is the longest silence of a connection in milliseconds, 0 for any. */
export const openClient = (settings: S3Settings, { socketTimeout = idleMs, endpoint = settings.endpoint } = {}) =>
  new S3Client({
    region: settings.region,
    ...(endpoint && { endpoint }),
    forcePathStyle: settings.forcePathStyle,
    credentials: { accessKeyId: settings.accessKeyId, secretAccessKey: settings.secretAccessKey },
    // The default adds trailing CRC32s to streams, which several S3 servers refuse or store as content.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 5_000,
      socketTimeout,
      // Without a watch on the socket, at least the head of an answer must come in time.
      ...(socketTimeout === 0 && { requestTimeout: answerMs, throwOnRequestTimeout: true }),
      // Callers bound what they have under way, each person a share of it; a bound here would be taken by whoever comes
      // first, from readiness checks too.
      httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
    },
  })

/** HTTP status of the server's refusal; undefined for faults that are none. */
export const statusOf = (error: unknown) =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
