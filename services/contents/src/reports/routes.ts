import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type ObjectStore, type Phase, StoreFailedError } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import {
  bodyErrors,
  CaseParams,
  caseFailures,
  errors,
  isKnown,
  listFirstFaultOnly,
  SessionParams,
  sendJsonObject,
  sessionFailures,
} from '@playtherapy/service-kit'
import { reportSteps, saveVersion, type WhichVersions } from '@playtherapy/versions'
import { ReportBody, reportBytes } from '@playtherapy/versions/report'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { levelsOf, readLevels } from './levels.ts'
import {
  currentReports,
  isStale,
  mostSessions,
  reportsAtOnce,
  reportsOf,
  type StoredReport,
  storedScript,
} from './repository.ts'
import { Accepted, DeliveryQuery, ReportVersionParams, ReportVersions, VersionsQuery } from './schemas.ts'
import { keepCategories, mostCategories, reportTrend, type SessionReport, Trend } from './trend.ts'

export interface ReportOptions {
  db: Database
  store: ObjectStore
  phase: Phase
  /** IANA name of the time zone that decides on which day a moment falls. */
  timeZone: string
}

const path = '/case/:case_id/session/:session_id/analyze-report'
const route = { tags: ['report'], security: [{ token: [] }], params: SessionParams }

/** Returns headers with the report's version, and whether the script has changed since the report was scored. */
const provenance = (report: StoredReport) => ({
  'report-version': report.version,
  ...(report.scriptVersion !== null && {
    'report-script-version': report.scriptVersion,
    'report-stale': String(isStale(report)),
  }),
  ...(report.newestScript !== null && { 'script-version': report.newestScript }),
})

const description =
  'Report-Script-Version is the version of the script that the report was scored from, Script-Version the newest one; Report-Stale tells whether they differ. Report-Version is the version of the report.'

/** Responses to the read of a report. */
const reportResponses = {
  200: ReportBody,
  304: { description: 'The copy at hand is still right', type: 'null' },
  ...sessionFailures('noReport', 'preconditionFailed', 'downloadFailed'),
}

/** The routes by which a therapist reads the analysis reports of a session, and their trend over a case. */
export const reportRoutes: FastifyPluginAsyncTypebox<ReportOptions> = async (app, { db, store, timeZone }) => {
  const send = async (request: FastifyRequest, reply: FastifyReply, which: WhichVersions) => {
    const [report] = await reportsOf(db, request, which)
    if (!report) throw errors.noReport(request.sessionId)
    const { etag } = report
    reply.headers({ ...provenance(report), ...(etag && { etag }) })
    if (etag && isKnown(request.headers, { etag })) return reply.code(304).send()
    return sendJsonObject(request, reply, store, 'analyze_report', report)
  }

  app.get(
    path,
    {
      schema: {
        ...route,
        operationId: 'reports.get',
        summary: 'Read the newest analysis report',
        description,
        response: reportResponses,
      },
    },
    async (request, reply) => send(request, reply, 'current'),
  )

  app.get(
    `${path}/versions`,
    {
      schema: {
        ...route,
        operationId: 'reports.listVersions',
        summary: 'List the versions of the analysis report',
        querystring: VersionsQuery,
        response: { 200: ReportVersions, ...sessionFailures() },
      },
    },
    async (request) => {
      const { before } = request.query
      const reports = await reportsOf(db, request, before ? { before: Number(before) } : undefined)
      return reports.map((report) => ({
        version: report.version,
        created_at: report.createdAt.toISOString(),
        size: report.size,
        script_version: report.scriptVersion,
        stale: isStale(report),
      }))
    },
  )

  app.get(
    `${path}/versions/:version`,
    {
      schema: {
        ...route,
        operationId: 'reports.getVersion',
        summary: 'Read one version of the analysis report',
        description,
        params: ReportVersionParams,
        response: reportResponses,
      },
    },
    async (request, reply) => send(request, reply, Number(request.params.version)),
  )

  app.get(
    '/case/:case_id/report-trend',
    {
      schema: {
        ...route,
        operationId: 'reports.trend',
        summary: 'Levels of each category over the sessions of a case',
        description: `From the newest report of each session; of the ${mostSessions} latest sessions that have one, and of the first ${mostCategories} categories found in them, latest session first.`,
        params: CaseParams,
        response: { 200: Trend, ...caseFailures('downloadFailed') },
      },
    },
    async (request) => {
      const sessions: SessionReport[] = []
      const keep = keepCategories()
      for (let offset = 0; offset < mostSessions; offset += reportsAtOnce) {
        const reports = await currentReports(db, request, timeZone, offset)
        for (const { path, etag, levels, ...session } of reports) {
          try {
            sessions.push({ ...session, levels: keep(levels ?? (await readLevels(store, path, etag))) })
          } catch (error) {
            request.log.error({ err: error }, 'a stored report could not be read')
            throw errors.downloadFailed(path.split('/').at(-1) ?? '', error)
          }
        }
        if (reports.length < reportsAtOnce) break
      }
      return reportTrend(sessions)
    },
  )
}

/** The route by which the analysis system delivers a report; its token is valid for no other. */
export const reportDeliveryRoutes: FastifyPluginAsyncTypebox<ReportOptions> = async (app, { db, store, phase }) => {
  listFirstFaultOnly(app)
  app.post(
    path,
    {
      bodyLimit: reportBytes,
      config: { audit: { actor: 'analysis' } },
      schema: {
        ...route,
        operationId: 'reports.store',
        summary: 'Deliver an analysis report',
        description:
          'For the analysis system: a token with the scope `reports:write` and no user. Each is a new version.',
        querystring: DeliveryQuery,
        body: ReportBody,
        response: { 200: Accepted, ...sessionFailures(...bodyErrors, 'uploadFailed') },
      },
    },
    async ({ caseId, sessionId, rawBody, body, query, cause }) => {
      const bytes = rawBody ?? Buffer.alloc(0)
      const named = query.script_version
      const scriptVersionId = named === undefined ? undefined : await storedScript(db, sessionId, Number(named))
      const report = { caseId, sessionId, size: bytes.length, levels: levelsOf(body), scriptVersionId, cause }
      const { kind } = await saveVersion({ db, store }, bytes, reportSteps(db, phase, report)).catch(
        (error: unknown) => {
          throw error instanceof StoreFailedError ? errors.uploadFailed('analyze_report.json', ['body'], error) : error
        },
      )
      if (kind !== 'saved') throw errors.sessionNotFound(sessionId)
      return { msg: 'analyze report upload success!' }
    },
  )
}
