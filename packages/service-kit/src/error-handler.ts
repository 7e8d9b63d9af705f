import { databaseCode, isOutage } from '@playtherapy/schema'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { fromDatabaseError } from './database-errors.ts'
import { ApiError, errors, fault } from './errors.ts'
import { protectiveHeaders } from './headers.ts'

/** The names of a request's parts in `loc`, which the old backend used. */
const parts: Record<string, string> = { params: 'path', querystring: 'query', headers: 'header', body: 'body' }

function toFault(
  context: string | undefined,
  { instancePath, keyword, message, params }: FastifySchemaValidationError,
) {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key.replaceAll('~1', '/').replaceAll('~0', '~')))
  const missing = typeof params.missingProperty === 'string' ? [params.missingProperty] : []
  return { loc: [parts[context ?? ''] ?? 'body', ...path, ...missing], msg: message ?? 'not valid', type: keyword }
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
}

/** Converts whatever was thrown to the error that is sent. */
function toApiError(error: unknown, bodyLimit: number): ApiError {
  if (error instanceof ApiError) return error
  const database = fromDatabaseError(error)
  if (database) return database
  if (!isFastifyError(error)) return errors.unexpected()
  if (error.validation) {
    return errors.invalidInput(error.validation.map((item) => toFault(error.validationContext, item)))
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return errors.tooLarge(bodyLimit)
  if (error.code === 'FST_ERR_BAD_URL') return fault(['path'], 'is not a valid URL')
  if (error.statusCode === 503) return errors.unavailable()
  // Bodies that cannot be read. The words of the framework would tell clients nothing.
  if (error.statusCode && error.statusCode >= 400 && error.statusCode < 500) {
    return error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE'
      ? fault(['body'], 'has a content type that is not taken here', 'content_type')
      : fault(['body'], 'is not readable: its length or its type is not the one that the headers say')
  }
  return errors.unexpected()
}

/** Headers that describe the content of a response. They are removed if an error is sent instead. */
const descriptions = 'accept-ranges content-disposition content-length content-range etag last-modified'.split(' ')
/** A gateway would send the content that this one names in place of the error. */
const offload = 'x-accel-redirect'

/** Returns the body of an error response as text. */
export const errorText = ({ message, code, status, detail, currentVersion }: ApiError, requestId?: string) =>
  JSON.stringify({
    message,
    error_code: code,
    ...(detail && { detail }),
    ...(currentVersion !== undefined && { current_version: currentVersion }),
    ...(status >= 500 && requestId && { request_id: requestId }),
  })

/** Sends an error by the contract. */
export function answer(reply: FastifyReply, request: FastifyRequest, error: ApiError) {
  // A response that failed before its first byte, or that was refused for lack of memory, has these headers already.
  for (const name of [...descriptions, offload]) {
    if (name === 'content-range' && error.status === 416) continue
    reply.removeHeader(name)
    reply.raw.removeHeader(name)
  }
  request.errorCode = error.code
  if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  return reply
    .code(error.status)
    .headers({
      ...protectiveHeaders,
      ...error.headers,
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    })
    .serializer((text: string) => text)
    .send(errorText(error, request.id))
}

/** Answers a request that Fastify refuses before it finds a route: a URL that cannot be decoded. */
export function answerFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  answer(reply, request, toApiError(error, 0))
}

/** The SQLSTATE of a statement that exceeded statement_timeout. */
const queryCanceled = '57014'

/**
 * The level at which a failure is logged. What a user can cause is a warning: too many requests, or a search that takes
 * too long. An error is something that an operator has to repair.
 */
function levelOf(thrown: unknown, { status }: ApiError): 'error' | 'warn' {
  const isRefused = status === 503 && (thrown instanceof ApiError || databaseCode(thrown) === queryCanceled)
  return isRefused ? 'warn' : 'error'
}

/** Installs the one error handler, and the response for routes that do not exist. */
export function installErrorHandler(host: FastifyInstance): void {
  host.setErrorHandler((thrown, request, reply) => {
    const error = toApiError(thrown, request.routeOptions.bodyLimit ?? 0)
    if (isOutage(thrown)) host.meter.countOutage()
    if (error.status >= 500) request.log[levelOf(thrown, error)]({ err: thrown }, 'request failed')
    return answer(reply, request, error)
  })
  host.setNotFoundHandler((request, reply) => answer(reply, request, errors.routeNotFound()))
}
