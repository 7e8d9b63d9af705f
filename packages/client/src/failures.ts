/** One fault of an input: where it is, what is wrong, and which rule found it. */
export interface Fault {
  /** Part of the request, then the path inside it: `['body', 'data', 'name']`. */
  loc: (string | number)[]
  msg: string
  type: string
}

/** The service has refused a request. `message` may be shown to people. */
export class ApiFailure extends Error {
  override name = 'ApiFailure'
  readonly status: number
  /** The code of services/contract.md, "Errors". */
  readonly error_code: number
  /** Every fault of the input, or why an upload failed. */
  readonly detail: Fault[]
  /** Seconds after which the same request may be tried again. */
  readonly retryAfter: number | undefined
  /** The newest version of the script, with code 11; 0 for none. */
  readonly currentVersion: number | undefined
  readonly requestId: string | undefined
  /** Of the response, such as `upload-offset`. */
  readonly headers: Headers

  constructor(response: Response, body: unknown) {
    const told: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {}
    super(typeof told.message === 'string' ? told.message : `The service answered ${response.status}`)
    this.status = response.status
    // A gateway that answers itself knows no codes.
    this.error_code = typeof told.error_code === 'number' ? told.error_code : response.status
    this.detail = Array.isArray(told.detail) ? told.detail : []
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
    this.retryAfter = Number.isFinite(retryAfter) ? retryAfter : undefined
    this.currentVersion = typeof told.current_version === 'number' ? told.current_version : undefined
    this.requestId = response.headers.get('x-request-id') ?? undefined
    this.headers = response.headers
  }
}

/** No response came, or it broke off: offline, a lost connection, or an address where nobody answers. */
export class NetworkFailure extends Error {
  override name = 'NetworkFailure'
}
