import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { errors, listFirstFaultOnly, parseBody, sessionFailures } from '@playtherapy/service-kit'
import { scriptBytes } from '@playtherapy/versions/records'
import { mayFollow, naming } from '../scripts/preconditions.ts'
import { scriptsOf } from '../scripts/repository.ts'
import { Conditions, conditions, route, SavedVersion, saveFailures, VersionParams } from '../scripts/schemas.ts'
import { findScript, type Run, readScript, type ScriptOptions, saveScript, sendJson } from '../scripts/service.ts'
import { Changes, type compareScripts } from './changes.ts'
import { Patch, type patchScript } from './patch.ts'
import type { restoreScript } from './restore.ts'
import { ChangesQuery, ScriptVersions, VersionsQuery } from './schemas.ts'

type VersionOptions = ScriptOptions & {
  work: { compare: Run<typeof compareScripts>; patch: Run<typeof patchScript>; restore: Run<typeof restoreScript> }
}

export const versionRoutes: FastifyPluginAsyncTypebox<VersionOptions> = async (app, options) => {
  const { withMemory, work } = options
  app.get(
    '/script/versions',
    {
      schema: {
        ...route,
        operationId: 'scriptVersions.list',
        summary: 'List the versions of the script',
        querystring: VersionsQuery,
        response: { 200: ScriptVersions, ...sessionFailures() },
      },
    },
    async (request) => {
      const { before } = request.query
      const scripts = await scriptsOf(options.db, request, before ? { before: Number(before) } : undefined)
      return scripts.map(({ version, userId, madeBy, createdAt, size, checksum, warnings }) => ({
        version,
        user_id: userId,
        made_by: madeBy ?? 'therapist',
        created_at: createdAt.toISOString(),
        size,
        checksum,
        warnings: warnings.map(({ record, field, kind = 'odd' }) => ({ record, field, kind })),
      }))
    },
  )

  app.post(
    '/script/versions/:version/restore',
    {
      schema: {
        ...route,
        operationId: 'scriptVersions.restore',
        summary: 'Bring a version back, as a new one',
        description: conditions,
        params: VersionParams,
        headers: Conditions,
        response: { 200: SavedVersion, ...saveFailures('noScript', 'downloadFailed') },
      },
    },
    async (request, reply) => {
      const script = await findScript(options, request, Number(request.params.version))
      const version = await withMemory(request, reply, script.size, () =>
        saveScript(options, request, {
          async check(videoLength) {
            const stored = await readScript(options, request, script)
            return work.restore(request.userId, { script: stored, place: ['script'], videoLength })
          },
          mayFollow: mayFollow(request.headers),
        }),
      )
      return naming(reply, version).send({ version })
    },
  )

  app.get(
    '/script/changes',
    {
      schema: {
        ...route,
        operationId: 'scriptVersions.compare',
        summary: 'What changed from one version of the script to another',
        querystring: ChangesQuery,
        response: { 200: Changes, ...sessionFailures('noScript', 'tooLarge', 'downloadFailed') },
      },
    },
    async (request, reply) => {
      const { from, to } = request.query
      const first = await findScript(options, request, Number(from))
      const second = await findScript(options, request, to === undefined ? 'current' : Number(to))
      return withMemory(request, reply, first.size + second.size, async () => {
        const before = await readScript(options, request, first)
        const after = await readScript(options, request, second)
        return sendJson(reply, await work.compare(request.userId, { before, after }))
      })
    },
  )
}

export const patchRoutes: FastifyPluginAsyncTypebox<VersionOptions> = async (app, options) => {
  const { withMemory, work } = options
  listFirstFaultOnly(app)
  app.addContentTypeParser('application/json-patch+json', { parseAs: 'buffer' }, parseBody)

  app.patch(
    '/script',
    {
      schema: {
        ...route,
        operationId: 'scripts.patch',
        summary: 'Change a part of the newest script',
        description:
          'A JSON Patch (RFC 6902) of at most 1,000 operations, all of them or none. The result is a new version. `If-Match` must name the version it was made for: otherwise 428, and 412 with `current_version` when that is not the newest.',
        consumes: ['application/json-patch+json', 'application/json'],
        headers: Conditions,
        body: Patch,
        response: { 200: SavedVersion, ...saveFailures('noScript', 'unconditional', 'downloadFailed') },
      },
    },
    async (request, reply) => {
      if (request.headers['if-match'] === undefined) throw errors.unconditional()
      const script = await findScript(options, request, 'current')
      if (!mayFollow(request.headers)(script.version)) throw errors.staleScript(script.version)
      const patch = request.rawBody ?? Buffer.alloc(0)
      // Copies can turn a small script into one of the largest.
      const grows = request.body.some(({ op }) => op === 'copy')
      const version = await withMemory(request, reply, grows ? scriptBytes : script.size + patch.length, () =>
        saveScript(options, request, {
          async check(videoLength) {
            const stored = await readScript(options, request, script)
            return work.patch(request.userId, { script: stored, patch, place: ['body'], videoLength })
          },
          mayFollow: (current) => current === script.version,
        }),
      )
      return naming(reply, version).send({ version })
    },
  )
}
