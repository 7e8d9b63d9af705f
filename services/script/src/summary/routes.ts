import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { sessionFailures } from '@playtherapy/service-kit'
import { route } from '../scripts/schemas.ts'
import { findScript, type Run, readScript, type ScriptOptions, sendJson } from '../scripts/service.ts'
import { Summary } from './schemas.ts'
import type { summariseScript } from './summary.ts'

type SummaryOptions = ScriptOptions & { work: { summarise: Run<typeof summariseScript> } }

export const summaryRoutes: FastifyPluginAsyncTypebox<SummaryOptions> = async (app, options) => {
  const { withMemory, work } = options
  app.get(
    '/script/summary',
    {
      schema: {
        ...route,
        operationId: 'scripts.summarize',
        summary: 'How the talk of the newest script was shared',
        description: 'Counted from the script alone; the same script gives the same figures.',
        response: { 200: Summary, ...sessionFailures('noScript', 'downloadFailed') },
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
