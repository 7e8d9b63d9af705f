import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Database } from '@playtherapy/schema'
import { CaseParams, caseFailures } from '@playtherapy/service-kit'
import { eventsOf } from './repository.ts'
import { AuditEvents, AuditQuery } from './schemas.ts'

/** The route by which a therapist sees who saw and changed what of a case. */
export const auditRoutes: FastifyPluginAsyncTypebox<{ db: Database }> = async (app, { db }) => {
  const events = eventsOf(db)
  app.get(
    '/case/:case_id/audit',
    {
      schema: {
        tags: ['audit'],
        security: [{ token: [] }],
        operationId: 'audit.list',
        summary: 'Who saw and changed what of a case, newest first',
        description:
          'A hundred events at a time, refused requests included. Several requests for a recording by one viewer are one event in ten minutes.',
        params: CaseParams,
        querystring: AuditQuery,
        response: { 200: AuditEvents, ...caseFailures() },
      },
    },
    async (request) => {
      const { before } = request.query
      return events(request, before === undefined ? undefined : Number(before))
    },
  )
}
