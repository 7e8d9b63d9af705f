import { errors, LinkParams, linkFailures, requireLink } from '@playtherapy/service-kit'
import type { FastifyInstance } from 'fastify'
import { scriptsOf } from '../scripts/repository.ts'
import { KnownVersion, readResponses } from '../scripts/schemas.ts'
import { contentOf, type ExportOptions, sendScript } from './send.ts'

/** The route that serves the newest script to players, as captions, for a signed link. */
export async function captionRoutes(app: FastifyInstance, options: ExportOptions): Promise<void> {
  app.addHook('onRequest', requireLink('captions', 'hls'))

  app.get(
    '/captions.vtt',
    {
      config: { audit: { kind: 'script' } },
      schema: {
        tags: ['playback'],
        params: LinkParams,
        operationId: 'playback.getCaptions',
        summary: 'The newest script as captions',
        description: 'Cues do not overlap: where people talk at once, a cue has the lines of all of them.',
        headers: KnownVersion,
        response: readResponses(
          'The captions',
          contentOf('vtt'),
          linkFailures('preconditionFailed', 'tooLarge', 'downloadFailed'),
        ),
      },
    },
    async (request, reply) => {
      const [script] = await scriptsOf(options.db, request, 'current')
      if (!script) throw errors.linkNotFound()
      reply.header('cache-control', 'private, no-store')
      return sendScript(options, request, reply, { script, format: 'captions' })
    },
  )
}
