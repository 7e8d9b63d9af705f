/** The first bytes are not those of a video that we accept. */
export class NotAVideoError extends Error {
  override name = 'NotAVideoError'
}

/** The file has no bytes. */
export class EmptyError extends Error {
  override name = 'EmptyError'
}

/** There are more bytes than allowed; `limit` is how many are allowed. */
export class TooLargeError extends Error {
  override name = 'TooLargeError'
  readonly limit: number
  constructor(limit: number) {
    super('more bytes than allowed')
    this.limit = limit
  }
}

/** The session was deleted during the upload. */
export class SessionGoneError extends Error {
  override name = 'SessionGoneError'
}

/** The session has too many presigned URLs whose uploads were not announced yet. */
export class TooManyUrlsError extends Error {
  override name = 'TooManyUrlsError'
}
