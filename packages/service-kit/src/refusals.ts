import { Type } from 'typebox'
import { errorText } from './error-handler.ts'
import { type ApiError, errors, fault } from './errors.ts'

/** The body of every response that is not a success. */
const ErrorBody = Type.Object(
  {
    message: Type.String({ description: 'May be shown to the therapist' }),
    error_code: Type.Integer({ description: 'See "Errors" in services/contract.md' }),
    detail: Type.Optional(
      Type.Array(
        Type.Object(
          {
            loc: Type.Array(Type.Union([Type.String(), Type.Integer()]), {
              description: 'Part of the request, then the path inside it',
            }),
            msg: Type.String(),
            type: Type.String(),
          },
          { title: 'Fault' },
        ),
      ),
    ),
    request_id: Type.Optional(Type.String()),
    current_version: Type.Optional(Type.Integer({ description: 'The newest version, with code 11; 0 for none' })),
  },
  { title: 'Failure' },
)

/** One of each error, as the OpenAPI document shows it. */
export const samples = {
  invalidToken: errors.invalidToken(),
  caseNotFound: errors.caseNotFound(12),
  sessionNotFound: errors.sessionNotFound(31),
  invalidRange: errors.invalidRange(20, 29),
  rangeNotSatisfiable: errors.rangeNotSatisfiable(73_400_320),
  noVideo: errors.noVideo(31),
  noScript: errors.noScript(31),
  noReport: errors.noReport(31),
  invalidInput: fault(['body', 'data', 'name'], 'must be string', 'type'),
  unreadable: errors.unreadable(400),
  tooSlow: errors.unreadable(408),
  tooLarge: errors.tooLarge(1_048_576),
  unavailable: errors.unavailable(),
  tooManyUploads: errors.tooManyUploads(8),
  uploadsUnsafe: errors.uploadsUnsafe(),
  tooManyRequests: errors.tooManyRequests(7),
  staleScript: errors.staleScript(4),
  preconditionFailed: errors.preconditionFailed(),
  unconditional: errors.unconditional(),
  badHeader: errors.badHeader('upload-length', 'must be a whole number'),
  uploadNotFound: errors.uploadNotFound(),
  otherOffset: errors.otherOffset(52_428_800),
  beyondLength: errors.beyondLength(73_400_320),
  uploadExpired: errors.uploadExpired(),
  otherTusVersion: errors.otherTusVersion('1.0.0'),
  otherContentType: errors.otherContentType('application/offset+octet-stream'),
  encodedBody: errors.encodedBody(),
  uploadHeld: errors.uploadHeld(),
  otherChecksum: errors.otherChecksum(),
  linkNotFound: errors.linkNotFound(),
  jobNotFound: errors.jobNotFound(),
  erasureNotFound: errors.erasureNotFound(),
  exportNotFound: errors.exportNotFound(),
  exportRunning: errors.exportRunning(),
  tooManyExports: errors.tooManyExports(2),
  unexpected: errors.unexpected(),
  uploadFailed: errors.uploadFailed('session 1.mp4', ['body', 'file'], {
    message: 'is not a video',
    reason: 'not_a_video',
  }),
  downloadFailed: errors.downloadFailed('script_v3.json', new Error('the object store is down')),
}
export type ErrorName = keyof typeof samples

/** What every route that reads a body may answer because of its length or its speed. */
export const bodyErrors = ['tooLarge', 'tooSlow'] as const

/**
 * Describes errors for the schema of a route, by their statuses: each with an example of its own, and with the codes that the
 * status may have there. Its type is empty, so that a handler may return nothing but the body of its success.
 */
export function describeErrors(shown: Record<string, ApiError>): object {
  const statuses = [...new Set(Object.values(shown).map(({ status }) => status))]
  return Object.fromEntries(
    statuses.map((status) => {
      const named = Object.entries(shown).filter(([, error]) => error.status === status)
      const examples = named.map(([name, error]) => [name, { value: JSON.parse(errorText(error, 'b7f3…')) }])
      const errorCodes = [...new Set(named.map(([, { code }]) => code))].sort((a, b) => a - b)
      const schema = { ...ErrorBody, errorCodes }
      const content = { 'application/json': { schema, examples: Object.fromEntries(examples) } }
      return [status, { description: named.map(([, { message }]) => message).join(' · '), content }]
    }),
  )
}

/** The errors of these names, for the schema of a route. */
export const refusals = (...names: ErrorName[]): object =>
  describeErrors(Object.fromEntries(names.map((name) => [name, samples[name]])))

/** What every route that needs a token may answer, and `more`. */
export const failures = (...more: ErrorName[]): object =>
  refusals('invalidToken', 'invalidInput', 'tooManyRequests', 'unavailable', 'unexpected', ...more)

/** The same below the path of a case. */
export const caseFailures = (...more: ErrorName[]): object => failures('caseNotFound', ...more)

/** The same below the path of a session. */
export const sessionFailures = (...more: ErrorName[]): object => caseFailures('sessionNotFound', ...more)

/** What routes of signed links may answer, and `more`. */
export const linkFailures = (...more: ErrorName[]): object =>
  refusals('linkNotFound', 'tooManyRequests', 'unavailable', 'unexpected', ...more)
