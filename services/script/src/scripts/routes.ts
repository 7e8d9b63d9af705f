import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { scriptStanding } from '@playtherapy/versions'
import type { FastifyInstance } from 'fastify'
import type { checkScript } from './check.ts'
import { mayFollow, naming } from './preconditions.ts'
import { acceptForms, announcedBytes, formIsParsed, place, receiveScript } from './receive.ts'
import { Conditions, conditions, form, route, Saved, saveFailures } from './schemas.ts'
import { type Run, type ScriptOptions, saveScript } from './service.ts'

type SaveOptions = ScriptOptions & { work: { check: Run<typeof checkScript> } }

export async function scriptRoutes(instance: FastifyInstance, options: SaveOptions): Promise<void> {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const { withMemory, work } = options
  await acceptForms(app)

  app.post(
    '/script',
    {
      schema: {
        ...route,
        operationId: 'scripts.save',
        summary: 'Save a script as a new version',
        description: `Multipart, one JSON document of at most 20 MiB in the part \`script\`. 200 means that it is durable and current. Odd times are kept as sent. The bytes of the newest version, saved again, make no version. ${conditions}`,
        consumes: ['multipart/form-data'],
        headers: Conditions,
        body: form('ScriptForm', 'One JSON document, UTF-8'),
        response: { 200: Saved, ...saveFailures() },
      },
      validatorCompiler: formIsParsed,
    },
    async (request, reply) => {
      const version = await withMemory(request, reply, announcedBytes(request), async () => {
        // It is read while the body is received.
        const asked = scriptStanding(options.db, request)
        asked.catch(() => {})
        const bytes = await receiveScript(request)
        const standing = await asked
        const check = (videoLength: string | null) => work.check(request.userId, { bytes, place, videoLength })
        return saveScript(options, request, { check, mayFollow: mayFollow(request.headers), standing })
      })
      return naming(reply, version).send({ msg: 'script upload success!' })
    },
  )
}
