import { guardAccess, requireTherapist } from '@playtherapy/service-kit'
import type { FastifyPluginAsync } from 'fastify'
import { scriptRoutes } from './scripts/routes.ts'
import type { ScriptResources } from './scripts/service.ts'
import { searchRoutes } from './search/routes.ts'

/** The script service: what was said in a session is saved and read. Every route belongs to a case of the caller. */
export const scriptApp =
  (resources: ScriptResources): FastifyPluginAsync =>
  async (app) => {
    app.addHook('onRequest', requireTherapist)
    app.addHook('onRequest', guardAccess(resources.db))
    await app.register(scriptRoutes, { ...resources, prefix: '/contents/api/case/:case_id/session/:session_id' })
    await app.register(searchRoutes, { ...resources, prefix: '/contents/api/case/:case_id' })
  }
