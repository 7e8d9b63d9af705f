import { guardAccess, requireTherapist } from '@playtherapy/service-kit'
import type { FastifyPluginAsync } from 'fastify'
import { type PlaybackOptions, playbackRoutes } from './playback/routes.ts'
import { recordingRoutes } from './recording/routes.ts'
import { type UploadOptions, uploadRoutes } from './upload/routes.ts'

/** The media service: upload, playback and deletion of recordings. Every route belongs to a session of the caller. */
export const mediaApp =
  (options: UploadOptions & PlaybackOptions): FastifyPluginAsync =>
  async (app) => {
    app.addHook('onRequest', requireTherapist)
    app.addHook('onRequest', guardAccess(options.db))
    const prefix = '/contents/api/case/:case_id/session/:session_id'
    await app.register(uploadRoutes, { ...options, prefix })
    await app.register(playbackRoutes, { ...options, prefix })
    await app.register(recordingRoutes, { ...options, prefix })
  }
