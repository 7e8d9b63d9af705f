import type { ErrorCodes } from './generated/codes.gen.ts'
import type { Fault } from './generated/types.gen.ts'

/** The codes of refusals that come from a gateway, without a body of the services. */
const codesOfStatuses: Record<number, number> = { 401: 0, 413: 9, 429: 10, 502: 10, 503: 10, 504: 10 }

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
  /** The headers of the response, such as `upload-offset`. */
  readonly headers: Headers

  constructor(response: Response, body: unknown) {
    const told: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {}
    super(typeof told.message === 'string' ? told.message : `The service answered ${response.status}`)
    const { status, headers } = response
    this.status = status
    this.error_code = typeof told.error_code === 'number' ? told.error_code : (codesOfStatuses[status] ?? status)
    this.detail = Array.isArray(told.detail) ? told.detail : []
    this.retryAfter = secondsOf(headers)
    this.currentVersion = typeof told.current_version === 'number' ? told.current_version : undefined
    this.requestId = headers.get('x-request-id') ?? undefined
    this.headers = headers
  }
}

/** No service is away for longer by intent, and a timer of a browser that is to wait for a month does not wait at all. */
const longestSeconds = 3_600

/** Retry-After: seconds, or a date (RFC 9110, section 10.2.3), which is compared with that of the response: a device's clock may be wrong. */
function secondsOf(headers: Headers): number | undefined {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const now = Date.parse(headers.get('date') ?? '') || Date.now()
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000)
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(0, seconds), longestSeconds)
}

/** A refusal with one of these codes: a `switch` over `error_code` narrows it. */
type Refusal<Code extends number> = Code extends 11
  ? ApiFailure & { error_code: 11; currentVersion: number | undefined }
  : ApiFailure & { error_code: Code }

/** What an operation may be refused with: `FailureOf<'scripts.patch'>`. */
export type FailureOf<Operation extends keyof ErrorCodes> = Refusal<ErrorCodes[Operation]>

/** Whether a call of this operation was refused, as the OpenAPI document says that it may be. */
export const isRefusalOf = <Operation extends keyof ErrorCodes>(
  _operation: Operation,
  error: unknown,
): error is FailureOf<Operation> => error instanceof ApiFailure

/** No response came, it broke off, or it was not one of the services': offline, a lost connection, a page of a hotel's network. */
export class NetworkFailure extends Error {
  override name = 'NetworkFailure'
}
