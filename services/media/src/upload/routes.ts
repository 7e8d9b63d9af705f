import multipart from '@fastify/multipart'
import { type IntakeResources, issuePresigned, SessionGoneError, TooManyUrlsError } from '@playtherapy/intake'
import { StoreFailedError, UnsafeUploadsError } from '@playtherapy/object-store'
import { bodyFailures, createShares, errors, failures, SessionParams } from '@playtherapy/service-kit'
import type { FastifyInstance } from 'fastify'
import { leastRate, multipartLimits, refuseTooLong } from './file-part.ts'
import { receiveUpload } from './receive.ts'
import { newestVideo } from './repository.ts'
import { Presigned, Uploaded, UploadForm, VideoState } from './schemas.ts'

export interface UploadOptions extends IntakeResources {
  /** Most bytes of a recording. */
  uploadLimit: number
  /** Bytes a second below which an upload is broken off; 16 KiB by default. */
  uploadLeastRate?: number
  /** Milliseconds over which that rate is measured; a minute by default. */
  uploadIdleMs?: number
}

/** Uploads at once in one process, each with its part buffers: this bounds their memory. */
const mostUploads = 64

const route = { tags: ['video'], security: [{ token: [] }], params: SessionParams }

/** How recordings come in, and how far one is. All below a session's path, behind its guard. */
export async function uploadRoutes(
  app: FastifyInstance,
  { uploadLimit, uploadLeastRate = leastRate, uploadIdleMs = 60_000, ...resources }: UploadOptions,
): Promise<void> {
  app.removeAllContentTypeParsers()
  await app.register(multipart, { limits: multipartLimits })

  const shares = createShares(mostUploads)
  const bounds = { limit: uploadLimit, leastRate: uploadLeastRate, windowMs: uploadIdleMs }
  const uploads = new Set<Promise<void>>()
  // An upload that is cut when the process closes still has to remove what it left.
  app.addHook('onClose', () => Promise.allSettled(uploads))

  app.post(
    '/video',
    {
      config: { streams: true },
      schema: {
        ...route,
        summary: 'Upload a recording',
        description:
          'Multipart, one file in the part `file`. 201 means that the original is durable and its encode announced.',
        consumes: ['multipart/form-data'],
        body: UploadForm,
        response: { 201: Uploaded, ...bodyFailures },
      },
      // The form is described for readers of the API; its parser checks it while it comes.
      validatorCompiler: () => () => true,
      onRequest: async (request) => refuseTooLong(request, uploadLimit),
    },
    async (request, reply) => {
      // Nothing of the body has been read yet. The share is held until nothing of the upload is left in memory, which
      // may be long after its client has gone.
      const release = shares.take(request.userId)
      const upload = receiveUpload(request, reply, resources, bounds)
      uploads.add(upload)
      await upload.finally(() => {
        release()
        uploads.delete(upload)
      })
      return reply.code(201).send({ msg: 's3 upload start!' })
    },
  )

  app.get(
    '/video/presigned-url',
    {
      // A HEAD would issue a URL that nobody sees.
      exposeHeadRoute: false,
      schema: {
        ...route,
        summary: 'A URL to upload a recording straight to the object store',
        description:
          'Each call gives a key of its own. After the PUT, a PUT of the session with `origin_video_url` set to the key starts the encode.',
        response: { 200: Presigned, ...failures },
      },
    },
    async (request) => {
      const { caseId, sessionId } = request
      try {
        return await issuePresigned(resources, { caseId, sessionId })
      } catch (error) {
        if (error instanceof SessionGoneError) throw errors.sessionNotFound(sessionId)
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

  app.get(
    '/video/state',
    {
      schema: {
        ...route,
        summary: 'How far the newest recording is',
        response: { 200: VideoState, ...failures },
      },
    },
    async (request) => {
      const video = await newestVideo(resources.db, request)
      if (!video) throw errors.noVideo(request.sessionId)
      return video
    },
  )
}
