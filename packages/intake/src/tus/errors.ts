import type { NotAVideoError, VideoDeletedError } from '../errors.ts'

/** The session has no upload of this id, or has it no more. */
export class UploadMissingError extends Error {
  override name = 'UploadMissingError'
}

/** The upload has expired, or a newer recording came first. */
export class UploadExpiredError extends Error {
  override name = 'UploadExpiredError'
}

/** Another request writes the upload. */
export class UploadHeldError extends Error {
  override name = 'UploadHeldError'
}

/** The upload has `offset` bytes, and the client wants to go on elsewhere. */
export class OtherOffsetError extends Error {
  override name = 'OtherOffsetError'
  readonly offset: number
  constructor(offset: number) {
    super('the upload has another offset')
    this.offset = offset
  }
}

/** The length is known already, or is below the offset. */
export class OtherLengthError extends Error {
  override name = 'OtherLengthError'
}

/** More bytes came than the upload has, which is `length`. */
export class BeyondLengthError extends Error {
  override name = 'BeyondLengthError'
  readonly length: number
  constructor(length: number) {
    super('more bytes than the upload has')
    this.length = length
  }
}

/** The bytes do not have the checksum that the client sent with them; none of them was kept. */
export class ChecksumError extends Error {
  override name = 'ChecksumError'
}

/** This therapist has as many unfinished uploads as a therapist may have. */
export class TooManyUploadsError extends Error {
  override name = 'TooManyUploadsError'
  readonly most: number
  constructor(most: number) {
    super('too many unfinished uploads')
    this.most = most
  }
}

/** The recording is not accepted; `cause` says why. */
export class UploadRefusedError extends Error {
  override name = 'UploadRefusedError'
  readonly fileName: string
  override readonly cause: NotAVideoError | VideoDeletedError
  constructor(fileName: string, cause: NotAVideoError | VideoDeletedError) {
    super('the recording is not accepted')
    this.fileName = fileName
    this.cause = cause
  }
}
