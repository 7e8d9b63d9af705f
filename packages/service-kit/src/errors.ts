import { ObjectChangedError, ObjectMissingError } from '@playtherapy/object-store'

/** One fault of an input: where it is, what is wrong, and which rule found it. */
export interface Fault {
  /** Part of the request, then the path inside it: `['body', 'data', 'name']`. */
  loc: (string | number)[]
  msg: string
  type: string
}

interface ErrorExtras {
  /** Every fault of the input, or why an upload failed. */
  detail?: Fault[]
  /** Seconds after which the client should try again. */
  retryAfter?: number
  /** The number of the current version, 0 if there is none, for `errors.staleScript`. */
  currentVersion?: number
  /** Further headers of the response. */
  headers?: Record<string, string>
}

/** A response that is not a success: the status, the code of the contract, and a text that the therapist may read. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  readonly code: number
  readonly detail: Fault[] | undefined
  readonly retryAfter: number | undefined
  readonly currentVersion: number | undefined
  readonly headers: Record<string, string>

  constructor(status: number, code: number, message: string, extras: ErrorExtras = {}) {
    super(message)
    this.status = status
    this.code = code
    this.detail = extras.detail
    this.retryAfter = extras.retryAfter
    this.currentVersion = extras.currentVersion
    this.headers = extras.headers ?? {}
  }
}

/** Why an upload failed: a word for programs, and a predicate for people. */
interface UploadFailure {
  reason: string
  message: string
}

/** Seconds after which a client may try again what failed for the object store. */
const storeRetrySeconds = 30
/** Seconds after which one of a therapist's unfinished uploads may have ended. */
const retryUploadSeconds = 60
/** Seconds after which one of a therapist's exports may have ended. */
const retryExportSeconds = 60

/** How many faults of one input are listed at most. */
export const mostFaults = 100

/** The table of all errors, with the codes of "Errors" in services/contract.md. A new error is added here and there. */
/** What is stored cannot be read. The contract has status 400 for it, although it is no fault of the client. */
export const downloadFailedCode = 1001

export const errors = {
  /** `reason` says why, in words without quotes; it is left out for a request without a token (RFC 6750, section 3.1). */
  invalidToken: (reason?: string) => {
    const why = reason ? `, error="invalid_token", error_description="${reason}"` : ''
    const headers = { 'www-authenticate': `Bearer realm="playtherapy"${why}` }
    return new ApiError(401, 0, 'access token is invalid', { headers })
  },
  caseNotFound: (id: number) => new ApiError(400, 2, `Case ${id} not found`),
  sessionNotFound: (id: number) => new ApiError(400, 3, `Session ${id} not found`),
  invalidRange: (from: number | bigint, to: number | bigint) => new ApiError(400, 4, `Invalid range ${from} to ${to}`),
  rangeNotSatisfiable: (size: number) => new ApiError(416, 4, `Invalid range: the video has ${size} bytes`),
  noVideo: (sessionId: number) => new ApiError(400, 5, `No video found for session ID ${sessionId}`),
  noScript: (sessionId: number) => new ApiError(400, 6, `No script found for session ID ${sessionId}`),
  noReport: (sessionId: number) => new ApiError(400, 7, `No analyze report found for session ID ${sessionId}`),
  invalidInput: (detail: Fault[]) =>
    new ApiError(422, 8, 'The request is not valid', { detail: detail.slice(0, mostFaults) }),
  unreadable: (status: 400 | 408 | 431) => new ApiError(status, 8, 'The request is not readable'),
  tooLarge: (limit: number) => new ApiError(413, 9, `The request is larger than the limit of ${limit} bytes`),
  unavailable: (retryAfter = 5) =>
    new ApiError(503, 10, 'The service is too busy or a part of it is down, please try again', { retryAfter }),
  tooManyUploads: (most: number) =>
    new ApiError(429, 10, `You have ${most} unfinished uploads: please finish or cancel one of them`, {
      retryAfter: retryUploadSeconds,
    }),
  uploadsUnsafe: () =>
    new ApiError(503, 10, 'Uploads straight to the object store are off here, please upload through the service', {
      retryAfter: 60,
    }),
  tooManyRequests: (retryAfter: number) => new ApiError(429, 10, 'Too many requests, please slow down', { retryAfter }),
  staleScript: (currentVersion: number) =>
    new ApiError(
      412,
      11,
      `The script has changed: ${currentVersion > 0 ? `version ${currentVersion} is the newest` : 'there is none'}`,
      {
        currentVersion,
      },
    ),
  preconditionFailed: () => new ApiError(412, 11, 'What is stored is another version than the request names'),
  unconditional: () => new ApiError(428, 12, 'If-Match must name the version that is to be changed'),
  methodNotAllowed: (allow: string[]) =>
    new ApiError(405, 405, 'This address does not take that method', { headers: { allow: allow.join(', ') } }),
  // The protocol of uploads in several requests, tus 1.0, names these statuses; their codes are the same numbers.
  badHeader: (name: string, msg: string) =>
    new ApiError(400, 8, 'The request is not valid', { detail: [{ loc: ['header', name], msg, type: 'value_error' }] }),
  uploadNotFound: () => new ApiError(404, 404, 'There is no such upload'),
  otherOffset: (offset: number) =>
    new ApiError(409, 409, `The upload goes on at byte ${offset}`, { headers: { 'upload-offset': String(offset) } }),
  beyondLength: (length: number) => new ApiError(413, 9, `The upload has ${length} bytes and no more`),
  uploadExpired: () => new ApiError(410, 410, 'The upload has expired, please begin it again'),
  otherTusVersion: (version: string) =>
    new ApiError(412, 412, `Tus-Resumable must be ${version}`, { headers: { 'tus-version': version } }),
  otherContentType: (type: string) => new ApiError(415, 415, `The content type must be ${type}`),
  encodedBody: () =>
    new ApiError(415, 415, 'The body must have no Content-Encoding', { headers: { 'accept-encoding': 'identity' } }),
  uploadHeld: () => new ApiError(423, 423, 'Another request writes this upload, please try again', { retryAfter: 1 }),
  otherChecksum: () => new ApiError(460, 460, 'The bytes do not have their checksum, please send them again'),
  /** One answer for every link that opens nothing: forged, expired, for something else, or of what was deleted. */
  linkNotFound: () => new ApiError(404, 404, 'This link opens nothing, or nothing any more'),
  jobNotFound: () => new ApiError(404, 404, 'There is no such job that was given up, or it was announced again'),
  exportNotFound: () => new ApiError(404, 404, 'There is no export of this case, or none that is finished'),
  exportRunning: () => new ApiError(409, 409, 'An export of this case is being made already'),
  tooManyExports: (most: number) =>
    new ApiError(429, 10, `${most} of your exports are being made: please wait until one of them is finished`, {
      retryAfter: retryExportSeconds,
    }),
  erasureNotFound: () => new ApiError(404, 404, 'There is no such erasure'),
  routeNotFound: () => new ApiError(404, 404, 'There is no such route'),
  unexpected: () => new ApiError(500, 500, 'Something went wrong on our side'),
  /** `message` of the cause says what is wrong with the upload at `loc`. */
  uploadFailed: (name: string, loc: Fault['loc'], { message, reason }: UploadFailure) =>
    new ApiError(400, 1000, `File [${name}] Upload failed.`, {
      detail: [{ loc, msg: message, type: reason }],
      ...(reason === 'store_unavailable' && { retryAfter: storeRetrySeconds }),
    }),
  /** `cause` is the error of the object store; after that of a missing or replaced object a repetition is in vain. */
  downloadFailed: (name: string, cause?: unknown) => {
    const isLost = !cause || cause instanceof ObjectMissingError || cause instanceof ObjectChangedError
    const msg = 'could not be read, because the object store does not work right now'
    return new ApiError(400, downloadFailedCode, `File [${name}] Download failed.`, {
      ...(!isLost && { detail: [{ loc: ['path'], msg, type: 'store_unavailable' }], retryAfter: storeRetrySeconds }),
    })
  },
}

/** `errors.invalidInput` (422) with a single fault. */
export const fault = (loc: Fault['loc'], msg: string, type = 'value_error') => errors.invalidInput([{ loc, msg, type }])
