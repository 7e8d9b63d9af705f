import multipart from '@fastify/multipart'
import { ErrorBody, errors, SessionParams, sendJsonObject } from '@playtherapy/service-kit'
import type { FastifyInstance } from 'fastify'
import { scriptLimit } from './receive.ts'
import { currentScript } from './repository.ts'
import { Saved, Script } from './schemas.ts'
import { type ScriptResources, scriptSaver } from './service.ts'

const route = { tags: ['script'], security: [{ token: [] }], params: SessionParams }
const failures = { 400: ErrorBody, 401: ErrorBody, 422: ErrorBody, 429: ErrorBody, 503: ErrorBody }

/** How a session's script is saved and read. All below a session's path, behind its guard. */
export async function scriptRoutes(app: FastifyInstance, resources: ScriptResources): Promise<void> {
  await app.register(multipart, {
    // A plain field comes as bytes too: what is stored is what was sent.
    isPartAFile: () => true,
    limits: { fileSize: scriptLimit, files: 2, fieldNameSize: 100, headerPairs: 64 },
  })
  const save = scriptSaver(resources)

  app.post(
    '/script',
    {
      schema: {
        ...route,
        summary: 'Save a script as a new version',
        description:
          'Multipart, one JSON document of at most 20 MiB in the part `script`. 200 means that it is durable and current. Odd times are kept as sent.',
        consumes: ['multipart/form-data'],
        response: { 200: Saved, ...failures, 413: ErrorBody },
      },
    },
    async (request) => {
      await save(request)
      return { msg: 'script upload success!' }
    },
  )

  app.get(
    '/script',
    { schema: { ...route, summary: 'Read the newest script', response: { 200: Script, ...failures } } },
    async (request, reply) => {
      const script = await currentScript(resources.db, request)
      if (!script) throw errors.noScript(request.sessionId)
      return sendJsonObject(request, reply, resources.store, 'script', script)
    },
  )
}
