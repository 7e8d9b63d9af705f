/** The first bytes are not those of a video we take. */
export class NotAVideoError extends Error {
  override name = 'NotAVideoError'
}

/** Nothing came. */
export class EmptyError extends Error {
  override name = 'EmptyError'
}

/** More bytes than allowed; `limit` says how many are. */
export class TooLargeError extends Error {
  override name = 'TooLargeError'
  readonly limit: number
  constructor(limit: number) {
    super('more bytes than allowed')
    this.limit = limit
  }
}

/** The session was deleted while bytes were on their way. */
export class SessionGoneError extends Error {
  override name = 'SessionGoneError'
}

/** The session has more presigned URLs out than anybody needs. */
export class TooManyUrlsError extends Error {
  override name = 'TooManyUrlsError'
}
