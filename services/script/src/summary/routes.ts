import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { failures, route } from '../scripts/schemas.ts'
import { findScript, type ScriptOptions, withRecords } from '../scripts/service.ts'
import { Summary } from './schemas.ts'
import { summarise } from './summary.ts'

/** How a therapist sees who talked how much. */
export const summaryRoutes: FastifyPluginAsyncTypebox<ScriptOptions> = async (app, options) => {
  app.get(
    '/script/summary',
    {
      schema: {
        ...route,
        summary: 'How the talk of the newest script was shared',
        description: 'Counted from the script alone; the same script gives the same figures.',
        response: { 200: Summary, ...failures },
      },
    },
    async (request) => withRecords(options, request, [await findScript(options, request, 'current')], summarise),
  )
}
