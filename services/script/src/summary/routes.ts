import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { sendJson } from '../export/send.ts'
import { failures, route } from '../scripts/schemas.ts'
import { findScript, readScript, type ScriptOptions } from '../scripts/service.ts'
import { Summary } from './schemas.ts'

/** How a therapist sees who talked how much. */
export const summaryRoutes: FastifyPluginAsyncTypebox<ScriptOptions> = async (app, options) => {
  const { withMemory, work } = options
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
    async (request, reply) => {
      const script = await findScript(options, request, 'current')
      return withMemory(request, reply, script.size, async () => {
        const stored = await readScript(options, request, script)
        return sendJson(reply, await work.summarise(request.userId, { script: stored }))
      })
    },
  )
}
