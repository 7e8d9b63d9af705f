import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { SessionGoneError, StoreFailedError, saveVersion } from '@playtherapy/intake'
import type { ObjectStore, Phase } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { ErrorBody, errors, listFirstFaultOnly, SessionParams, sendJsonObject } from '@playtherapy/service-kit'
import { currentReport, reportSteps } from './repository.ts'
import { Accepted, ReportBody } from './schemas.ts'

export interface ReportOptions {
  db: Database
  store: ObjectStore
  phase: Phase
}

/** Bytes of a report; real ones take some hundred thousand. */
const largestReport = 5 * 1024 ** 2

const path = '/case/:case_id/session/:session_id/analyze-report'
const route = { tags: ['report'], security: [{ token: [] }], params: SessionParams }
const failures = { 400: ErrorBody, 401: ErrorBody, 413: ErrorBody, 422: ErrorBody, 429: ErrorBody, 503: ErrorBody }

/** How a therapist reads the newest analysis report. */
export const reportRoutes: FastifyPluginAsyncTypebox<ReportOptions> = async (app, { db, store }) => {
  app.get(
    path,
    { schema: { ...route, summary: 'Read the newest analysis report', response: { 200: ReportBody, ...failures } } },
    async (request, reply) => {
      const report = await currentReport(db, request)
      if (!report) throw errors.noReport(request.sessionId)
      return sendJsonObject(request, reply, store, 'analyze_report', report)
    },
  )
}

/** How the analysis system delivers a report; the only route its token opens. */
export const reportDeliveryRoutes: FastifyPluginAsyncTypebox<ReportOptions> = async (app, { db, store, phase }) => {
  listFirstFaultOnly(app)
  app.post(
    path,
    {
      bodyLimit: largestReport,
      schema: {
        ...route,
        summary: 'Deliver an analysis report',
        description:
          'For the analysis system: a token with the scope `reports:write` and no user. Each is a new version.',
        body: ReportBody,
        response: { 200: Accepted, ...failures },
      },
    },
    async ({ caseId, sessionId, rawBody }) => {
      const bytes = rawBody ?? Buffer.alloc(0)
      try {
        const steps = reportSteps(db, phase, { caseId, sessionId, size: bytes.length })
        await saveVersion({ db, store }, bytes, steps)
      } catch (error) {
        if (error instanceof SessionGoneError) throw errors.sessionNotFound(sessionId)
        if (error instanceof StoreFailedError) throw errors.uploadFailed('analyze_report.json')
        throw error
      }
      return { msg: 'analyze report upload success!' }
    },
  )
}
