import accepts from '@fastify/accepts'
import { auditRequests, guardAccess, playbackPrefix, requireTherapist } from '@playtherapy/service-kit'
import type { FastifyPluginAsync } from 'fastify'
import { captionRoutes } from './export/link.ts'
import { exportRoutes } from './export/routes.ts'
import { importRoutes } from './import/routes.ts'
import { scriptMemory } from './scripts/memory.ts'
import { scriptRoutes } from './scripts/routes.ts'
import type { ScriptResources } from './scripts/service.ts'
import { searchRoutes } from './search/routes.ts'
import { summaryRoutes } from './summary/routes.ts'
import { patchRoutes, versionRoutes } from './versions/routes.ts'
import { createWork } from './work/pool.ts'

/** The script service: what was said in a session is saved and read. Every route belongs to a case of the caller. */
export const scriptApp =
  (resources: ScriptResources): FastifyPluginAsync =>
  async (app) => {
    await app.register(accepts)
    auditRequests(app, resources.db)
    const work = createWork()
    app.addHook('onClose', work.close)
    const options = { ...resources, withMemory: scriptMemory(app.meter), work }
    await app.register(async (scope) => {
      scope.addHook('onRequest', requireTherapist)
      scope.addHook('onRequest', guardAccess(resources.db))
      const ofSession = { ...options, prefix: '/contents/api/case/:case_id/session/:session_id' }
      await scope.register(scriptRoutes, ofSession)
      await scope.register(importRoutes, ofSession)
      await scope.register(exportRoutes, ofSession)
      await scope.register(versionRoutes, ofSession)
      await scope.register(patchRoutes, ofSession)
      await scope.register(summaryRoutes, ofSession)
      await scope.register(searchRoutes, { ...options, prefix: '/contents/api/case/:case_id' })
    })
    // What a signed link opens; it has the hook `requireLink`.
    await app.register(captionRoutes, { ...options, prefix: playbackPrefix })
  }
