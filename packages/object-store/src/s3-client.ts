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

/** A connection on which nothing moves for so long is given up; a transfer may last for hours. */
export const idleMs = 60_000
/** Longest wait for the head of an answer to a request that only reads. */
export const answerMs = 15_000
/** How often a request is sent at most. */
export const attempts = 3

/** A client of the server. `requestTimeout` is the longest wait for the head of an answer, in milliseconds. */
export const openClient = (
  settings: S3Settings,
  { endpoint = settings.endpoint, requestTimeout }: { endpoint?: string | undefined; requestTimeout?: number } = {},
) =>
  new S3Client({
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
      socketTimeout: idleMs,
      ...(requestTimeout && { requestTimeout, throwOnRequestTimeout: true }),
      // Callers bound what they have under way, with a share for each therapist; the first ones would exhaust a bound
      // here, and leave none for readiness checks.
      httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
    },
  })

/** HTTP status of the server's refusal; undefined for errors of another kind. */
export const statusOf = (error: unknown) =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
