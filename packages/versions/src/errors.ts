/** The session was deleted while the version was saved. */
export class SessionGoneError extends Error {
  override name = 'SessionGoneError'
}

/** A newer version is current than the one the save was made for; `current` is its number, 0 for none. */
export class StaleVersionError extends Error {
  override name = 'StaleVersionError'
  readonly current: number
  constructor(current: number) {
    super('a newer version is current')
    this.current = current
  }
}

/** The current version has these very bytes; `version` is its number. */
export class UnchangedError extends Error {
  override name = 'UnchangedError'
  readonly version: number
  constructor(version: number) {
    super('the current version has these bytes')
    this.version = version
  }
}
