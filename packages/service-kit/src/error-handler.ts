import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { Type } from 'typebox'
import { databaseCode, fromDatabaseError } from './database-errors.ts'
import { ApiError, errors, type Fault, fault } from './errors.ts'

/** Body of every answer that is no success. */
export const ErrorBody = Type.Object(
  {
    message: Type.String(),
    error_code: Type.Integer(),
    detail: Type.Optional(
      Type.Array(
        Type.Object({
          loc: Type.Array(Type.Union([Type.String(), Type.Integer()])),
          msg: Type.String(),
          type: Type.String(),
        }),
      ),
    ),
    request_id: Type.Optional(Type.String()),
  },
  { $id: 'Error' },
)

/** Names of a request's parts in `loc`, as the client's old backend named them. */
const parts: Record<string, string> = { params: 'path', querystring: 'query', headers: 'header', body: 'body' }

function toFault(
  context: string | undefined,
  { instancePath, keyword, message, params }: FastifySchemaValidationError,
) {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key))
  const missing = typeof params.missingProperty === 'string' ? [params.missingProperty] : []
  return { loc: [parts[context ?? ''] ?? 'body', ...path, ...missing], msg: message ?? 'not valid', type: keyword }
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
}

/** What any thrown thing becomes on the wire. */
function toApiError(error: unknown, bodyLimit: number): ApiError {
  if (error instanceof ApiError) return error
  const database = fromDatabaseError(error)
  if (database) return database
  if (!isFastifyError(error)) return errors.unexpected()
  if (error.validation) {
    const detail: Fault[] = error.validation.map((item) => toFault(error.validationContext, item))
    return errors.invalidInput(detail)
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return errors.tooLarge(bodyLimit)
  if (error.statusCode === 503) return errors.unavailable()
  // Bodies that cannot be read: broken JSON, another content type, a length that is not true.
  if (error.statusCode && error.statusCode < 500) return fault(['body'], error.message, error.code)
  return errors.unexpected()
}

/**
 * What may be logged of an error: never its message, which can hold a name, a query's values or a URL, unless it comes
 * from the network.
 */
export function loggable(error: unknown) {
  if (!(error instanceof Error)) return { type: typeof error }
  const frames = error.stack
    ?.split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, 12)
  return {
    type: error.name,
    code: databaseCode(error),
    syscall: 'syscall' in error ? error.syscall : undefined,
    stack: frames?.map((line) => line.trim()),
    cause: error.cause instanceof Error ? error.cause.name : undefined,
  }
}

/** Installs the one error handler, and the answer for routes that do not exist. */
export function installErrorHandler(host: FastifyInstance): void {
  const answer = (reply: FastifyReply, request: FastifyRequest, error: ApiError) => {
    if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
    return reply
      .code(error.status)
      .type('application/json; charset=utf-8')
      .serializer(JSON.stringify)
      .send({
        message: error.message,
        error_code: error.code,
        ...(error.detail && { detail: error.detail }),
        ...(error.status >= 500 && { request_id: request.id }),
      })
  }
  host.setErrorHandler((thrown, request, reply) => {
    const error = toApiError(thrown, request.routeOptions.bodyLimit ?? 0)
    if (error.status >= 500) request.log.error({ err: loggable(thrown) }, 'request failed')
    return answer(reply, request, error)
  })
  host.setNotFoundHandler((request, reply) => answer(reply, request, errors.routeNotFound()))
}
