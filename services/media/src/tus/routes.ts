import { createTusUploads, type IntakeResources } from '@playtherapy/intake'
import { errors, leastBytesPerSecond, type Shares } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  bodyBytesOf,
  bytesIn,
  checksumAlgorithms,
  checksumIn,
  fileNameIn,
  newLengthOf,
  requireBytes,
  requireTusVersion,
  textOf,
  tusExtensions,
  tusType,
  tusVersion,
} from './headers.ts'
import { disconnectionOf, receiveBytes, throwByContract } from './receive.ts'
import * as schemas from './schemas.ts'

export interface TusRouteOptions extends IntakeResources {
  /** The most bytes that a recording may have. */
  uploadLimit: number
  /** An upload that is not complete so long after its creation is removed; a day by default. */
  uploadExpirySeconds?: number
  uploadLeastRate?: number
  uploadIdleMs?: number
}

const path = '/video/tus'
const route = { tags: ['video'], security: [{ token: [] }] }

/** The route by which clients find out what this server knows of the protocol. Browsers ask it without a token. */
export async function discoveryRoutes(app: FastifyInstance, { uploadLimit }: TusRouteOptions): Promise<void> {
  for (const url of [path, `${path}/`, `${path}/:upload_id`]) {
    app.options(
      url,
      {
        // CORS has added its headers, and lets this route respond.
        config: { cors: { preflightContinue: true } },
        schema: {
          hide: url !== path,
          tags: ['video'],
          params: url.endsWith('id') ? schemas.UploadParams : schemas.SessionParams,
          summary: 'Ask what the server knows of resumable uploads',
          response: { 204: schemas.Discovered },
        },
      },
      async (_request, reply) =>
        reply
          .headers({
            'tus-version': tusVersion,
            'tus-extension': tusExtensions,
            'tus-max-size': uploadLimit,
            'tus-checksum-algorithm': checksumAlgorithms.join(','),
          })
          .code(204)
          .send(),
    )
  }
}

/** The routes of uploads that may come in several requests (tus 1.0), below the path of a session of the caller. */
export async function tusRoutes(
  app: FastifyInstance,
  {
    shares,
    uploadLimit,
    uploadExpirySeconds = 86_400,
    uploadLeastRate = leastBytesPerSecond,
    uploadIdleMs = 60_000,
    ...resources
  }: TusRouteOptions & { shares: Shares },
): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
  // The schemas are for the API description only: the refusals of this protocol have statuses of their own.
  app.setValidatorCompiler(() => () => true)
  app.addHook('onRequest', requireTusVersion)

  const uploads = createTusUploads({ ...resources, limit: uploadLimit, expirySeconds: uploadExpirySeconds })
  const bounds = { limit: uploadLimit, leastBytesPerSecond: uploadLeastRate, windowMs: uploadIdleMs }
  const receiving = new Set<Promise<unknown>>()
  // A process that closes keeps what came, so that another one can go on at once.
  app.addHook('preClose', async () => uploads.stop())
  app.addHook('onClose', () => Promise.allSettled(receiving))

  const name = (reply: FastifyReply, offset: number, expiresAt: Date | undefined) =>
    reply.headers({ 'upload-offset': offset, ...(expiresAt && { 'upload-expires': expiresAt.toUTCString() }) })

  /** Stores the body as the next bytes of an upload. The share is held until the body has left memory. */
  async function receive(request: FastifyRequest, reply: FastifyReply, place: { uploadId: string; offset: number }) {
    const release = shares.take(request.userId)
    const stored = receiveBytes(request, disconnectionOf(request, reply), uploads, place, bounds)
    receiving.add(stored)
    const { offset, expiresAt } = await stored.finally(() => {
      release()
      receiving.delete(stored)
    })
    name(reply, offset, expiresAt)
  }

  async function create(request: FastifyRequest, reply: FastifyReply) {
    const { caseId, sessionId, userId, url } = request
    if (textOf(request, 'upload-concat')) throw errors.badHeader('upload-concat', 'is not possible here')
    const length = newLengthOf(request)
    const fileName = fileNameIn(request)
    checksumIn(request)
    const bodyBytes = bodyBytesOf(request)
    if (bodyBytes !== 0) requireBytes(request)
    const metadata = textOf(request, 'upload-metadata')
    const upload = { caseId, sessionId, userId, fileName, length, metadata }
    const { uploadId, expiresAt } = await uploads.create(upload).catch(throwByContract(request))
    name(reply, 0, expiresAt)
    if (bodyBytes !== 0) {
      await receive(request, reply, { uploadId, offset: 0 }).catch(async (error: unknown) => {
        // The client does not know the upload.
        await uploads.remove({ sessionId, uploadId }).catch(() => {})
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
    const asked = uploads.status(upload, disconnectionOf(request, reply), request.id)
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
    await uploads.remove(upload).catch(throwByContract(request))
    return reply.code(204).send()
  }

  const methods = { PATCH: patch, HEAD: head, DELETE: remove }

  for (const [url, hide] of [[path, false] as const, [`${path}/`, true] as const]) {
    app.post(
      url,
      {
        config: { streams: true },
        schema: {
          ...route,
          hide,
          params: schemas.SessionParams,
          headers: schemas.CreationHeaders,
          consumes: [tusType],
          body: schemas.Bytes,
          summary: 'Begin a resumable upload',
          description:
            'The protocol is tus 1.0 (https://tus.io), for which there are clients. The response names the path of the upload; a body is its first bytes.',
          response: { 201: schemas.Created, ...schemas.bytesFailures },
        },
      },
      create,
    )
  }
  const upload = { ...route, params: schemas.UploadParams, headers: schemas.ResumableHeaders }
  const url = `${path}/:upload_id`
  app.patch(
    url,
    {
      config: { streams: true },
      schema: {
        ...upload,
        headers: schemas.PatchHeaders,
        consumes: [tusType],
        body: schemas.Bytes,
        summary: 'Go on with a resumable upload',
        description:
          'Bytes that came before a request was cut are kept, unless it has a checksum. The last byte is answered when the recording is durable.',
        response: { 204: schemas.Stored, ...schemas.bytesFailures },
      },
    },
    patch,
  )
  app.head(
    url,
    {
      config: { swagger: { exposeHeadRoute: true } },
      schema: {
        ...upload,
        summary: 'Ask how far a resumable upload has come',
        description: 'A request that sends bytes, but has been silent for a second, ends then.',
        response: { 200: schemas.Known, ...schemas.uploadFailures },
      },
    },
    head,
  )
  app.delete(
    url,
    {
      schema: {
        ...upload,
        summary: 'Cancel a resumable upload',
        description: 'The recording of an upload that is complete stays.',
        response: { 204: schemas.Removed, ...schemas.uploadFailures },
      },
    },
    remove,
  )
  // For clients whose network lets no other methods pass.
  app.post(url, { config: { streams: true }, schema: { ...upload, hide: true } }, (request, reply) => {
    const wanted = textOf(request, 'x-http-method-override')
    if (wanted === 'PATCH' || wanted === 'HEAD' || wanted === 'DELETE') return methods[wanted](request, reply)
    throw errors.methodNotAllowed(['DELETE', 'HEAD', 'OPTIONS', 'PATCH'])
  })
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The id of the upload in the path; throws `errors.uploadNotFound` (404) for what cannot be one. */
function uploadOf({ params }: FastifyRequest): string {
  const id = typeof params === 'object' && params !== null ? Reflect.get(params, 'upload_id') : undefined
  if (typeof id !== 'string' || !uuid.test(id)) throw errors.uploadNotFound()
  return id
}
