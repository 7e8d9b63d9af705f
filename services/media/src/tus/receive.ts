import {
  type Appended,
  BeyondLengthError,
  ChecksumError,
  EmptyError,
  OtherLengthError,
  OtherOffsetError,
  SessionDeletedError,
  TooLargeError,
  TooManyUploadsError,
  type TusUploads,
  UploadExpiredError,
  UploadHeldError,
  UploadMissingError,
  UploadRefusedError,
} from '@playtherapy/intake'
import { StoreFailedError } from '@playtherapy/object-store'
import { errors, fault, whenOver } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { boundSpeed, type FileBounds } from '../upload/file-part.ts'
import { bodyBytesOf, bytesIn, checksumIn } from './headers.ts'

/** Returns what throws a failure below the routes as the response by the contract, for `.catch()`. */
export const throwByContract =
  (request: FastifyRequest) =>
  (error: unknown): never => {
    throw errorFor(error, request)
  }

function errorFor(error: unknown, request: FastifyRequest): unknown {
  if (error instanceof UploadMissingError) return errors.uploadNotFound()
  if (error instanceof UploadExpiredError) return errors.uploadExpired()
  if (error instanceof UploadHeldError) return errors.uploadHeld()
  if (error instanceof OtherOffsetError) return errors.otherOffset(error.offset)
  if (error instanceof OtherLengthError) return errors.badHeader('upload-length', 'is not that of this upload')
  if (error instanceof EmptyError) return errors.badHeader('upload-length', 'is 0: the file is empty')
  if (error instanceof TooLargeError) return errors.tooLarge(error.limit)
  if (error instanceof BeyondLengthError) return errors.beyondLength(error.length)
  if (error instanceof ChecksumError) return errors.otherChecksum()
  if (error instanceof TooManyUploadsError) return errors.tooManyUploads(error.most)
  if (error instanceof UploadRefusedError) return errors.uploadFailed(error.fileName, ['body'], error.cause)
  if (error instanceof SessionDeletedError) return errors.sessionNotFound(request.sessionId)
  if (error instanceof StoreFailedError) {
    request.log.error({ err: error.cause }, 'an upload was not stored')
    // Clients of this protocol try again after 503, and not after 400.
    return errors.unavailable()
  }
  return error
}

/** Fires when the client has disconnected. */
export function disconnectionOf(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const disconnected = new AbortController()
  whenOver(request, reply, () => disconnected.abort())
  return disconnected.signal
}

/**
 * Stores the body of a request as the next bytes of an upload. A body that is too slow is ended, and kept like one that was cut.
 * Throws by the contract.
 */
export async function receiveBytes(
  request: FastifyRequest,
  signal: AbortSignal,
  uploads: TusUploads,
  { uploadId, offset }: { uploadId: string; offset: number },
  bounds: FileBounds,
): Promise<Appended> {
  const { raw, sessionId, cause } = request
  boundSpeed(request, bounds, () => raw.destroy())
  try {
    const length = bytesIn(request, 'upload-length')
    const appended = await uploads.append(
      { sessionId, uploadId },
      {
        offset,
        length,
        // After a refusal the host reads the rest, and closes the connection only then.
        body: raw.iterator({ destroyOnReturn: false }),
        bodyBytes: bodyBytesOf(request),
        checksum: checksumIn(request),
        signal,
        cause,
      },
    )
    if (signal.aborted) throw fault(['body'], 'was broken off')
    if (appended.wasStopped) throw errors.uploadHeld()
    return appended
  } catch (error) {
    throw errorFor(error, request)
  }
}
