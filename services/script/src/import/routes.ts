import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { scriptBytes } from '@playtherapy/versions/records'
import type { FastifyInstance } from 'fastify'
import { mayFollow, naming } from '../scripts/preconditions.ts'
import { acceptForms, announcedBytes, formIsParsed, place, receiveScript } from '../scripts/receive.ts'
import { Conditions, conditions, form, route, SavedVersion, saveFailures } from '../scripts/schemas.ts'
import { type Run, type ScriptOptions, saveScript } from '../scripts/service.ts'
import type { importCaptions } from './captions.ts'

type ImportOptions = ScriptOptions & { work: { importCaptions: Run<typeof importCaptions> } }

export async function importRoutes(instance: FastifyInstance, options: ImportOptions): Promise<void> {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const { withMemory, work } = options
  await acceptForms(app)

  app.post(
    '/script/import',
    {
      schema: {
        ...route,
        operationId: 'scripts.import',
        summary: 'Save captions as a new version of the script',
        description: `Multipart, one WebVTT or SubRip file of at most 20 MiB in the part \`script\`; which one is seen by its content. It is UTF-8, or UTF-16 with a byte order mark. Voice tags, or \`T: \` before a text, name the speakers. What is not understood is refused with its line. ${conditions}`,
        consumes: ['multipart/form-data'],
        headers: Conditions,
        body: form('CaptionsForm', 'One WebVTT or SubRip file'),
        response: { 200: SavedVersion, ...saveFailures() },
      },
      validatorCompiler: formIsParsed,
    },
    async (request, reply) => {
      // A record is up to three times as long as its cue.
      const largest = Math.min(3 * announcedBytes(request), scriptBytes)
      const version = await withMemory(request, reply, largest, async () => {
        const bytes = await receiveScript(request)
        const check = (videoLength: string | null) => work.importCaptions(request.userId, { bytes, place, videoLength })
        return saveScript(options, request, { check, mayFollow: mayFollow(request.headers) })
      })
      return naming(reply, version).send({ version })
    },
  )
}
