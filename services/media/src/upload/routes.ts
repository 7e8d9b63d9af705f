import multipart from '@fastify/multipart'
import { type IntakeResources, issuePresigned, SessionDeletedError, TooManyUrlsError } from '@playtherapy/intake'
import { StoreFailedError, UnsafeUploadsError } from '@playtherapy/object-store'
import { bodyErrors, errors, leastBytesPerSecond, SessionParams, sessionFailures } from '@playtherapy/service-kit'
import type { FastifyInstance } from 'fastify'
import { multipartLimits, refuseTooLong } from './file-part.ts'
import type { Uploads } from './meter.ts'
import { receiveUpload } from './receive.ts'
import { Presigned, Uploaded, UploadForm } from './schemas.ts'

export interface UploadOptions extends IntakeResources {
  /** The most bytes that a recording may have. */
  uploadLimit: number
  /** A slower upload is aborted, in bytes a second; 16 KiB by default. */
  uploadLeastRate?: number
  /** The rate is measured over this time; a minute by default. */
  uploadIdleMs?: number
}

const route = { tags: ['video'], security: [{ token: [] }], params: SessionParams }

/** The routes that upload a recording, below the path of a session of the caller. */
export async function uploadRoutes(
  app: FastifyInstance,
  {
    receive,
    uploadLimit,
    uploadLeastRate = leastBytesPerSecond,
    uploadIdleMs = 60_000,
    ...resources
  }: UploadOptions & { receive: Uploads },
): Promise<void> {
  app.removeAllContentTypeParsers()
  await app.register(multipart, { limits: multipartLimits })

  const bounds = { limit: uploadLimit, leastBytesPerSecond: uploadLeastRate, windowMs: uploadIdleMs }
  const uploads = new Set<Promise<void>>()
  // An upload that is aborted when the process closes still has to remove its row and object.
  app.addHook('onClose', () => Promise.allSettled(uploads))

  app.post(
    '/video',
    {
      config: { streams: true },
      schema: {
        ...route,
        operationId: 'videos.upload',
        summary: 'Upload a recording',
        description:
          'Multipart with one file in the part `file`. 201 means that the original is durable and its encode is announced.',
        consumes: ['multipart/form-data'],
        body: UploadForm,
        response: { 201: Uploaded, ...sessionFailures(...bodyErrors, 'uploadFailed') },
      },
      // The form's schema is for the API description only; the multipart parser checks the body while it arrives.
      validatorCompiler: () => () => true,
      onRequest: async (request) => refuseTooLong(request, uploadLimit),
    },
    async (request, reply) => {
      // No byte of the body has been read yet.
      const upload = receive(request, () => receiveUpload(request, reply, resources, bounds))
      uploads.add(upload)
      await upload.finally(() => uploads.delete(upload))
      return reply.code(201).send({ msg: 's3 upload start!' })
    },
  )

  app.get(
    '/video/presigned-url',
    {
      // A HEAD would issue a URL that the client does not see.
      exposeHeadRoute: false,
      config: { audit: { action: 'link' } },
      schema: {
        ...route,
        operationId: 'videos.presign',
        summary: 'Issue a URL to upload a recording straight to the object store',
        description:
          'Each call returns a new key. After the upload, a PUT of the session with `origin_video_url` set to the key starts the encode.',
        response: { 200: Presigned, ...sessionFailures('uploadsUnsafe') },
      },
    },
    async (request) => {
      const { caseId, sessionId, cause } = request
      try {
        return await issuePresigned(resources, { caseId, sessionId, cause })
      } catch (error) {
        if (error instanceof SessionDeletedError) throw errors.sessionNotFound(sessionId)
        if (error instanceof TooManyUrlsError) throw errors.unavailable(3_600)
        if (error instanceof StoreFailedError) throw errors.unavailable()
        if (error instanceof UnsafeUploadsError) {
          request.log.error(error.message)
          throw errors.uploadsUnsafe()
        }
        throw error
      }
    },
  )
}
