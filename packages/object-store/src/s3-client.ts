import { S3Client, S3ServiceException } from '@aws-sdk/client-s3'

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
  /** Puts the bucket into the path and not into the host name, as most servers other than AWS need it. */
  forcePathStyle: boolean
}

/** A connection without any bytes for so long is closed; a transfer may last for hours. */
export const idleMs = 60_000
/** Longest wait for the head of a response to a read. */
export const answerMs = 15_000
/** Attempts of a request. */
export const attempts = 3

/** A client of the server. `requestTimeout` is the longest wait for the head of a response, in milliseconds. */
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
      // Callers bound their requests, with a share for each therapist. A bound here could delay readiness checks.
      httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
    },
  })

/** HTTP status of the server's refusal; undefined for errors of another kind. */
export const statusOf = (error: unknown) =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
