import {
  EmptyError,
  type IntakeResources,
  NotAVideoError,
  receiveOriginal,
  SessionDeletedError,
  TooLargeError,
  VideoDeletedError,
} from '@playtherapy/intake'
import { StoreFailedError } from '@playtherapy/object-store'
import { errors, fault, whenOver } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type FileBounds, openFilePart } from './file-part.ts'

/**
 * Stores the one file of a multipart body, its part `file`, and registers it as the session's recording once the whole
 * body was valid to its end; otherwise nothing is left behind. Throws `errors.invalidInput` (also for an empty or
 * incomplete file), `errors.tooLarge`, `errors.uploadFailed` (no video, the store failed, or the recording was deleted
 * meanwhile), `errors.sessionNotFound` (the session was deleted meanwhile).
 */
export async function receiveUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  resources: IntakeResources,
  bounds: FileBounds,
): Promise<void> {
  const incomplete = fault(['body'], 'was broken off')
  // If the client disconnected during the access check, the parser would wait for its body for ever.
  if (request.raw.socket.destroyed) throw incomplete
  const disconnected = new AbortController()
  whenOver(request, reply, () => disconnected.abort())
  const { signal } = disconnected
  let name = ''
  try {
    const file = await openFilePart(request, bounds)
    name = file.name
    await receiveOriginal(resources, {
      caseId: request.caseId,
      sessionId: request.sessionId,
      cause: request.cause,
      fileName: name,
      body: file.bytes(),
      limit: bounds.limit,
      signal,
    })
  } catch (error) {
    if (signal.aborted) throw incomplete
    if (error instanceof StoreFailedError) request.log.error({ err: error.cause }, 'an upload was not stored')
    throw errorFor(error, name, request.sessionId)
  } finally {
    // The rest of a refused body is read and discarded, until the host closes the connection.
    request.raw.unpipe()
    request.raw.resume()
  }
}

function errorFor(error: unknown, name: string, sessionId: number): unknown {
  if (error instanceof EmptyError) return fault(['body', 'file'], 'is empty')
  if (error instanceof TooLargeError) return errors.tooLarge(error.limit)
  if (error instanceof NotAVideoError || error instanceof StoreFailedError || error instanceof VideoDeletedError) {
    return errors.uploadFailed(name, ['body', 'file'], error)
  }
  if (error instanceof SessionDeletedError) return errors.sessionNotFound(sessionId)
  return error
}
