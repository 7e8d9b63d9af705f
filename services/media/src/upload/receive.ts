import {
  EmptyError,
  type IntakeResources,
  NotAVideoError,
  receiveOriginal,
  SessionGoneError,
  TooLargeError,
} from '@playtherapy/intake'
import { StoreFailedError } from '@playtherapy/object-store'
import { errors, fault, whenOver } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type FileBounds, openFilePart } from './file-part.ts'

/**
 * Takes the one file of a multipart body, part `file`, to the object store, and makes it count once the whole body has
 * ended well. Nothing is left behind otherwise. Errors: 422 (no multipart, no part, a second or an empty one, cut
 * short), 413, 400/1000 (not a video, or the store failed), code 3 (session deleted meanwhile).
 */
export async function receiveUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  resources: IntakeResources,
  bounds: FileBounds,
): Promise<void> {
  const brokenOff = fault(['body'], 'was broken off')
  // A client that left while the guard was at work: the parser would wait for its body for ever.
  if (request.raw.socket.destroyed) throw brokenOff
  const gone = new AbortController()
  whenOver(request, reply, () => gone.abort())
  const { signal } = gone
  let name = ''
  try {
    const file = await openFilePart(request, bounds)
    name = file.name
    await receiveOriginal(resources, {
      caseId: request.caseId,
      sessionId: request.sessionId,
      requestId: request.id,
      fileName: name,
      body: file.bytes(),
      limit: bounds.limit,
      signal,
    })
  } catch (error) {
    if (signal.aborted) throw brokenOff
    if (error instanceof StoreFailedError) request.log.error({ err: error.cause }, 'an upload was not stored')
    throw answerTo(error, name, request.sessionId)
  } finally {
    // What is still to come of a refused body is thrown away, until the host loses patience.
    request.raw.unpipe()
    request.raw.resume()
  }
}

function answerTo(error: unknown, name: string, sessionId: number): unknown {
  if (error instanceof EmptyError) return fault(['body', 'file'], 'is empty')
  if (error instanceof TooLargeError) return errors.tooLarge(error.limit)
  if (error instanceof NotAVideoError || error instanceof StoreFailedError) return errors.uploadFailed(name)
  if (error instanceof SessionGoneError) return errors.sessionNotFound(sessionId)
  return error
}
