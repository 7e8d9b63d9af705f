/** In place of the error of tus-js-client, whose message quotes requests and responses. The console reads its cause alone. */
export default class extends Error {
  causingError: unknown
  constructor(message: string, causingError?: unknown) {
    super(message)
    this.causingError = causingError
  }
}
