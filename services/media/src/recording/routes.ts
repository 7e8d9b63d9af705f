import type { Database } from '@playtherapy/schema'
import { errors, SessionParams, sessionFailures, VideoState } from '@playtherapy/service-kit'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { deleteRecording, findState } from './repository.ts'

const route = { tags: ['video'], security: [{ token: [] }], params: SessionParams }

/** The routes that tell the state of a session's recording, and that delete it. */
export async function recordingRoutes(app: FastifyInstance, { db }: { db: Database }): Promise<void> {
  const state = findState(db)
  app.get(
    '/video/state',
    {
      config: { audit: { kind: 'upload' } },
      schema: {
        ...route,
        operationId: 'videos.getState',
        summary: 'Read the state of the newest recording',
        response: { 200: VideoState, ...sessionFailures('noVideo') },
      },
    },
    async (request) => {
      const video = await state(request)
      if (!video) throw errors.noVideo(request.sessionId)
      return video
    },
  )

  app.delete(
    '/video',
    {
      schema: {
        ...route,
        operationId: 'videos.delete',
        summary: 'Delete the recording of a session',
        description:
          'Deletes every recording of the session, also one that is being uploaded or encoded. Script and report stay.',
        response: { 200: Type.Boolean({ examples: [true] }), ...sessionFailures('noVideo') },
      },
    },
    async (request) => {
      if (!(await deleteRecording(db, request))) throw errors.noVideo(request.sessionId)
      return true
    },
  )
}
