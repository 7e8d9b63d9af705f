import { errors } from '@playtherapy/service-kit'
import type { FastifyInstance } from 'fastify'
import type { Uploads } from '../upload/meter.ts'
import { createHandlers, type TusRouteOptions } from './handlers.ts'
import { requireTusVersion, textOf, tusPath, tusType } from './headers.ts'
import * as schemas from './schemas.ts'

const route = { tags: ['video'], security: [{ token: [] }] }
/** A beginning and an end are those of a recording; what comes in between is told once in ten minutes. */
const config = { audit: { kind: 'upload' } }

/** The routes of uploads that may come in several requests (tus 1.0), below the path of a session of the caller. */
export async function tusRoutes(app: FastifyInstance, options: TusRouteOptions & { receive: Uploads }): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
  // The schemas are for the API description only: the refusals of this protocol have statuses of their own.
  app.setValidatorCompiler(() => () => true)
  app.addHook('onRequest', requireTusVersion)

  const { create, ...methods } = createHandlers(app, options)

  for (const [url, hide] of [[tusPath, false] as const, [`${tusPath}/`, true] as const]) {
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
          body: schemas.FirstBytes,
          operationId: 'uploads.create',
          summary: 'Begin a resumable upload',
          description:
            'The protocol is tus 1.0 (https://tus.io), for which there are clients. The response names the path of the upload; a body is its first bytes.',
          response: { 201: schemas.Created, ...schemas.creationFailures() },
        },
      },
      create,
    )
  }
  const upload = { ...route, params: schemas.UploadParams, headers: schemas.ResumableHeaders }
  const url = `${tusPath}/:upload_id`
  app.patch(
    url,
    {
      config: { ...config, streams: true },
      schema: {
        ...upload,
        headers: schemas.PatchHeaders,
        consumes: [tusType],
        body: schemas.Bytes,
        operationId: 'uploads.append',
        summary: 'Go on with a resumable upload',
        description:
          'Bytes that came before a request was cut are kept, unless it has a checksum. The last byte is answered when the recording is durable.',
        response: { 204: schemas.Stored, ...schemas.bytesFailures() },
      },
    },
    methods.PATCH,
  )
  app.head(
    url,
    {
      config: { ...config, swagger: { exposeHeadRoute: true } },
      schema: {
        ...upload,
        operationId: 'uploads.head',
        summary: 'Ask how far a resumable upload has come',
        description: 'A request that sends bytes, but has been silent for a second, ends then.',
        response: { 200: schemas.Known, ...schemas.uploadFailures() },
      },
    },
    methods.HEAD,
  )
  app.delete(
    url,
    {
      config,
      schema: {
        ...upload,
        operationId: 'uploads.delete',
        summary: 'Cancel a resumable upload',
        description: 'The recording of an upload that is complete stays.',
        response: { 204: schemas.Removed, ...schemas.uploadFailures() },
      },
    },
    methods.DELETE,
  )
  // For clients whose network lets no other methods pass.
  app.post(url, { config: { ...config, streams: true }, schema: { ...upload, hide: true } }, (request, reply) => {
    const wanted = textOf(request, 'x-http-method-override')
    if (wanted === 'PATCH' || wanted === 'HEAD' || wanted === 'DELETE') return methods[wanted](request, reply)
    throw errors.methodNotAllowed(['DELETE', 'HEAD', 'OPTIONS', 'PATCH'])
  })
}
