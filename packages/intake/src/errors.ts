/** The first bytes are not those of an accepted container. The message says what they are, and what is accepted. */
export class NotAVideoError extends Error {
  override name = 'NotAVideoError'
  readonly reason = 'not_a_video'
}

/** The file has no bytes. */
export class EmptyError extends Error {
  override name = 'EmptyError'
}

/** The file has more than `limit` bytes. */
export class TooLargeError extends Error {
  override name = 'TooLargeError'
  readonly limit: number
  constructor(limit: number) {
    super('more bytes than allowed')
    this.limit = limit
  }
}

/** The session was deleted during the upload. */
export class SessionDeletedError extends Error {
  override name = 'SessionDeletedError'
}

/** The recording was deleted during its upload. */
export class VideoDeletedError extends Error {
  override name = 'VideoDeletedError'
  readonly reason = 'deleted'
  constructor() {
    super('was deleted while it was received')
  }
}

/** The session has as many unused presigned URLs as it may have. */
export class TooManyUrlsError extends Error {
  override name = 'TooManyUrlsError'
}

/** The upload is still being announced, by this request or by another one; a repetition finds out how it ended. */
export class StillAnnouncedError extends Error {
  override name = 'StillAnnouncedError'
}
