import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { anyContent, preferredFormat, sendJson, sendScript } from '../export/send.ts'
import { mayFollow, naming } from '../scripts/preconditions.ts'
import { scriptsOf } from '../scripts/repository.ts'
import {
  Conditions,
  failures,
  KnownVersion,
  readAnswers,
  route,
  SavedVersion,
  saveFailures,
} from '../scripts/schemas.ts'
import { findScript, readScript, type ScriptOptions, saveScript } from '../scripts/service.ts'
import { Changes } from './changes.ts'
import { ChangesQuery, ScriptVersions, VersionParams, VersionsQuery } from './schemas.ts'

/** How the versions of a script are listed, read, compared and brought back. */
export const versionRoutes: FastifyPluginAsyncTypebox<ScriptOptions> = async (app, options) => {
  const { withMemory, work } = options
  app.get(
    '/script/versions',
    {
      schema: {
        ...route,
        summary: 'List the versions of the script',
        querystring: VersionsQuery,
        response: { 200: ScriptVersions, ...failures },
      },
    },
    async (request) => {
      const { before } = request.query
      const scripts = await scriptsOf(options.db, request, before ? { before: Number(before) } : undefined)
      return scripts.map(({ version, userId, createdAt, size, checksum, warnings }) => ({
        version,
        user_id: userId,
        created_at: createdAt.toISOString(),
        size,
        checksum,
        warnings: warnings.map(({ record, field, kind = 'odd' }) => ({ record, field, kind })),
      }))
    },
  )

  app.get(
    '/script/versions/:version',
    {
      schema: {
        ...route,
        summary: 'Read one version of the script',
        description: 'As it was sent, or as `Accept` asks: WebVTT, SubRip, text, CSV or XLSX.',
        params: VersionParams,
        headers: KnownVersion,
        response: readAnswers('The script', anyContent),
      },
    },
    async (request, reply) => {
      const format = preferredFormat(request, reply)
      const script = await findScript(options, request, Number(request.params.version))
      return sendScript(options, request, reply, { script, format })
    },
  )

  app.post(
    '/script/versions/:version/restore',
    {
      schema: {
        ...route,
        summary: 'Bring a version back, as a new one',
        description:
          'With `If-Match` only while the version of that ETag is the newest; otherwise 412 with `current_version`.',
        params: VersionParams,
        headers: Conditions,
        response: { 200: SavedVersion, ...saveFailures },
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
        summary: 'What changed from one version of the script to another',
        querystring: ChangesQuery,
        response: { 200: Changes, ...failures },
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
