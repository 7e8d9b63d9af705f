import { auditRequests, guardAccess, playbackPrefix, requireTherapist } from '@playtherapy/service-kit'
import type { FastifyPluginAsync } from 'fastify'
import { hlsRoutes } from './hls/routes.ts'
import { exportLinkRoutes } from './links/export.ts'
import { mp4Routes } from './links/mp4.ts'
import { posterRoutes, storyboardRoutes } from './links/previews.ts'
import { linkRoutes } from './links/routes.ts'
import { playbackRoutes } from './playback/routes.ts'
import { createSender, type SenderOptions } from './playback/send.ts'
import { recordingRoutes } from './recording/routes.ts'
import { discoveryRoutes } from './tus/discovery.ts'
import type { TusRouteOptions } from './tus/handlers.ts'
import { holdUpload, nameTusVersion } from './tus/headers.ts'
import { tusRoutes } from './tus/routes.ts'
import { createUploads } from './upload/meter.ts'
import { type UploadOptions, uploadRoutes } from './upload/routes.ts'

/** The media service: upload, playback and deletion of recordings. Every route belongs to a session of the caller. */
export const mediaApp =
  (options: UploadOptions & TusRouteOptions & SenderOptions): FastifyPluginAsync =>
  async (app) => {
    const sender = createSender(options, app.meter)
    const { db } = options
    auditRequests(app, db)
    const prefix = '/contents/api/case/:case_id/session/:session_id'
    const uploads = { ...options, receive: createUploads(app.meter), prefix }
    await app.register(async (scope) => {
      scope.addHook('onRequest', requireTherapist)
      scope.addHook('onRequest', guardAccess(db))
      await scope.register(uploadRoutes, uploads)
      await scope.register(playbackRoutes, { db, sender, prefix })
      await scope.register(recordingRoutes, { db, prefix })
    })
    await app.register(async (tus) => {
      tus.addHook('onRequest', nameTusVersion)
      tus.addHook('onSend', holdUpload)
      await tus.register(discoveryRoutes, uploads)
      await tus.register(async (scope) => {
        scope.addHook('onRequest', requireTherapist)
        scope.addHook('onRequest', guardAccess(db))
        await scope.register(tusRoutes, uploads)
      })
    })
    // Its guard finds what can be played by the same statement.
    await app.register(linkRoutes, { db, prefix })
    // What a signed link opens: each of these has the hook `requireLink`.
    for (const routes of [mp4Routes, hlsRoutes, posterRoutes, storyboardRoutes, exportLinkRoutes]) {
      await app.register(routes, { db, sender, prefix: playbackPrefix })
    }
  }
