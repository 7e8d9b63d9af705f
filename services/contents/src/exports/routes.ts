import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Database, State } from '@playtherapy/schema'
import { bodyErrors, CaseParams, caseFailures, errors } from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'
import { exportRepository, mostUnfinished } from './repository.ts'
import { CaseExport, ExportBody, ExportLink } from './schemas.ts'

const route = { tags: ['export'], security: [{ token: [] }], params: CaseParams }

/** The routes by which a therapist gets all that is held of a case in one file. */
export const exportRoutes: FastifyPluginAsyncTypebox<{ db: Database }> = async (app, { db }) => {
  const repository = exportRepository(db)
  const read = async (request: FastifyRequest) => {
    const row = await repository.get(request)
    if (!row) throw errors.exportNotFound()
    // The audit trail names the export.
    request.videoId = row.id
    return row
  }
  const show = async (request: FastifyRequest) => {
    const { id, stateId, progress, withoutMedia, pseudonyms, size, missing, failure, ...moments } = await read(request)
    return {
      id,
      state_id: stateId,
      progress,
      without_media: withoutMedia,
      pseudonyms,
      size,
      missing,
      failure,
      created_at: moments.createdAt.toISOString(),
      finished_at: moments.finishedAt?.toISOString() ?? null,
      expires_at: moments.expiresAt?.toISOString() ?? null,
    }
  }

  app.post(
    '/case/:case_id/export',
    {
      config: { audit: { action: 'export' } },
      schema: {
        ...route,
        operationId: 'exports.create',
        summary: 'Begin the export of all that is held of a case',
        description:
          'A worker writes one ZIP file. It replaces an export of this case that has ended. While one is being made, another is refused.',
        body: ExportBody,
        response: { 200: CaseExport, ...caseFailures(...bodyErrors, 'exportRunning', 'tooManyExports') },
      },
    },
    async (request) => {
      const { without_media: withoutMedia = false, pseudonyms = false } = request.body
      const begun = await repository.begin(request, { withoutMedia, pseudonyms }, request.cause)
      if (begun.kind === 'missing') throw errors.caseNotFound(request.caseId)
      if (begun.kind === 'running') throw errors.exportRunning()
      if (begun.kind === 'tooMany') throw errors.tooManyExports(mostUnfinished)
      return show(request)
    },
  )

  app.get(
    '/case/:case_id/export',
    {
      schema: {
        ...route,
        operationId: 'exports.get',
        summary: 'See how far the export of a case is',
        response: { 200: CaseExport, ...caseFailures('exportNotFound') },
      },
    },
    show,
  )

  app.post(
    '/case/:case_id/export/link',
    {
      config: { audit: { action: 'link' } },
      schema: {
        ...route,
        operationId: 'exports.createLink',
        summary: 'Get a link that downloads the export',
        description:
          'A path on this origin that needs no token: whoever has it can download the file, also in parts by Range. It ends at `expires_at`, and at once when the export is removed or replaced.',
        response: { 200: ExportLink, ...caseFailures('exportNotFound') },
      },
    },
    async (request) => {
      const { id, stateId } = await read(request)
      if (stateId !== State.DONE) throw errors.exportNotFound()
      const { userId, caseId } = request
      const { expiresAt, pathOf } = app.links.begin({ userId, caseId, sessionId: 0, videoId: id })
      return { path: pathOf('export', 'export.zip'), expires_at: expiresAt.toISOString() }
    },
  )
}
