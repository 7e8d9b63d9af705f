import accepts from '@fastify/accepts'
import { guardAccess, requireTherapist } from '@playtherapy/service-kit'
import type { FastifyPluginAsync } from 'fastify'
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
    app.addHook('onRequest', requireTherapist)
    app.addHook('onRequest', guardAccess(resources.db))
    await app.register(accepts)
    const work = createWork()
    app.addHook('onClose', work.close)
    const options = { ...resources, withMemory: scriptMemory(), work }
    const ofSession = { ...options, prefix: '/contents/api/case/:case_id/session/:session_id' }
    await app.register(scriptRoutes, ofSession)
    await app.register(importRoutes, ofSession)
    await app.register(exportRoutes, ofSession)
    await app.register(versionRoutes, ofSession)
    await app.register(patchRoutes, ofSession)
    await app.register(summaryRoutes, ofSession)
    await app.register(searchRoutes, { ...options, prefix: '/contents/api/case/:case_id' })
  }
