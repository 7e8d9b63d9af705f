import { createTusUploads, type IntakeResources } from '@playtherapy/intake'
import { errors, leastBytesPerSecond } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Uploads } from '../upload/meter.ts'
import { bodyBytesOf, bytesIn, checksumIn, fileNameIn, newLengthOf, requireBytes, textOf } from './headers.ts'
import { disconnectionOf, receiveBytes, throwByContract } from './receive.ts'

export interface TusRouteOptions extends IntakeResources {
  /** The most bytes that a recording may have. */
  uploadLimit: number
  /** An upload that is not complete so long after its creation is removed; a day by default. */
  uploadExpirySeconds?: number
  uploadLeastRate?: number
  uploadIdleMs?: number
}

/** What the routes do. Requests that receive bytes end when `app` closes. */
export function createHandlers(
  app: FastifyInstance,
  {
    receive: receiveWithin,
    uploadLimit,
    uploadExpirySeconds = 86_400,
    uploadLeastRate = leastBytesPerSecond,
    uploadIdleMs = 60_000,
    ...resources
  }: TusRouteOptions & { receive: Uploads },
) {
  const uploads = createTusUploads({ ...resources, limit: uploadLimit, expirySeconds: uploadExpirySeconds })
  const bounds = { limit: uploadLimit, leastBytesPerSecond: uploadLeastRate, windowMs: uploadIdleMs }
  const receiving = new Set<Promise<unknown>>()
  // A process that closes keeps what came, so that another one can go on at once.
  app.addHook('preClose', async () => uploads.stop())
  app.addHook('onClose', () => Promise.allSettled(receiving))

  const name = (reply: FastifyReply, offset: number, expiresAt: Date | undefined) =>
    reply.headers({ 'upload-offset': offset, ...(expiresAt && { 'upload-expires': expiresAt.toUTCString() }) })

  /** Stores the body as the next bytes of an upload. */
  async function receive(request: FastifyRequest, reply: FastifyReply, place: { uploadId: string; offset: number }) {
    const signal = disconnectionOf(request, reply)
    const stored = receiveWithin(request, () => receiveBytes(request, signal, uploads, place, bounds))
    receiving.add(stored)
    const { offset, expiresAt } = await stored.finally(() => receiving.delete(stored))
    name(reply, offset, expiresAt)
  }

  async function create(request: FastifyRequest, reply: FastifyReply) {
    const { caseId, sessionId, userId, cause, url } = request
    if (textOf(request, 'upload-concat')) throw errors.badHeader('upload-concat', 'is not possible here')
    const length = newLengthOf(request)
    const fileName = fileNameIn(request)
    checksumIn(request)
    const bodyBytes = bodyBytesOf(request)
    if (bodyBytes !== 0) requireBytes(request)
    const metadata = textOf(request, 'upload-metadata')
    const upload = { caseId, sessionId, userId, cause, fileName, length, metadata }
    const { uploadId, expiresAt } = await uploads.create(upload).catch(throwByContract(request))
    name(reply, 0, expiresAt)
    if (bodyBytes !== 0) {
      await receive(request, reply, { uploadId, offset: 0 }).catch(async (error: unknown) => {
        // The client does not know the upload.
        await uploads.remove({ sessionId, uploadId }, cause).catch(() => {})
        throw error
      })
    }
    return reply
      .code(201)
      .header('location', `${url.replace(/\/?(\?.*)?$/, '')}/${uploadId}`)
      .send()
  }

  async function patch(request: FastifyRequest, reply: FastifyReply) {
    requireBytes(request)
    const offset = bytesIn(request, 'upload-offset')
    if (offset === undefined) throw errors.badHeader('upload-offset', 'is missing')
    await receive(request, reply, { uploadId: uploadOf(request), offset })
    return reply.code(204).send()
  }

  async function head(request: FastifyRequest, reply: FastifyReply) {
    const upload = { sessionId: request.sessionId, uploadId: uploadOf(request) }
    const asked = uploads.status(upload, disconnectionOf(request, reply), request.cause)
    const status = await asked.catch(throwByContract(request))
    const { offset, length, metadata, expiresAt } = status
    return name(reply, offset, expiresAt)
      .headers({
        ...(length === null ? { 'upload-defer-length': 1 } : { 'upload-length': length }),
        ...(metadata !== null && { 'upload-metadata': metadata }),
      })
      .send()
  }

  async function remove(request: FastifyRequest, reply: FastifyReply) {
    const upload = { sessionId: request.sessionId, uploadId: uploadOf(request) }
    await uploads.remove(upload, request.cause).catch(throwByContract(request))
    return reply.code(204).send()
  }

  return { create, PATCH: patch, HEAD: head, DELETE: remove }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The id of the upload in the path; throws `errors.uploadNotFound` (404) for what cannot be one. */
function uploadOf({ params }: FastifyRequest): string {
  const id = typeof params === 'object' && params !== null ? Reflect.get(params, 'upload_id') : undefined
  if (typeof id !== 'string' || !uuid.test(id)) throw errors.uploadNotFound()
  return id
}
