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

/** The object store did not take, or does not have, what was to be there. */
export class StoreFailedError extends Error {
  override name = 'StoreFailedError'
}

/** The session has more presigned URLs out than anybody needs. */
export class TooManyUrlsError extends Error {
  override name = 'TooManyUrlsError'
}

/** A newer version counts than the one the save was made for; `current` is its number, 0 for none. */
export class StaleVersionError extends Error {
  override name = 'StaleVersionError'
  readonly current: number
  constructor(current: number) {
    super('a newer version counts')
    this.current = current
  }
}

/** The version that counts has these very bytes; `version` is its number. */
export class UnchangedError extends Error {
  override name = 'UnchangedError'
  readonly version: number
  constructor(version: number) {
    super('the version that counts has these bytes')
    this.version = version
  }
}
