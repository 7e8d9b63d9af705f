import type { ObjectStore, Phase } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import {
  auditRequests,
  guardAccess,
  guardExistence,
  requireOperator,
  requireReportWriter,
  requireTherapist,
} from '@playtherapy/service-kit'
import type { FastifyPluginAsync } from 'fastify'
import { auditRoutes } from './audit/routes.ts'
import { caseRepository } from './cases/repository.ts'
import { caseRoutes } from './cases/routes.ts'
import { erasureRoutes, receiptKeyRoutes } from './erasures/routes.ts'
import { eventRoutes } from './events/routes.ts'
import { exportRoutes } from './exports/routes.ts'
import { longLists } from './lists.ts'
import { operationRoutes } from './operations/routes.ts'
import { reportDeliveryRoutes, reportRoutes } from './reports/routes.ts'
import { sessionRoutes } from './sessions/routes.ts'

export interface ContentsOptions {
  db: Database
  store: ObjectStore
  phase: Phase
  /** IANA name of the time zone that decides on which day a moment falls. */
  timeZone: string
  /** The most bytes that a recording may have. */
  uploadLimit: number
  /** The longest wait of a request for the copy of such a recording, in milliseconds; 15 s by default. */
  announceMs?: number
  /** Pause between two comments to each event stream, in milliseconds; 15 s by default. */
  heartbeatMs?: number
  /** The longest wait of an event stream for the database, in milliseconds; 10 s by default. */
  openMs?: number
}

/** The contents service: cases, sessions and analysis reports, news of them, proofs of deletions, and what operators see of jobs and processes. */
export const contentsApp =
  (options: ContentsOptions): FastifyPluginAsync =>
  async (app) => {
    const { db, timeZone } = options
    const prefix = '/contents/api'
    auditRequests(app, db)
    app.meter.refusals('long_lists', longLists.refused)
    await app.register(async (therapist) => {
      therapist.addHook('onRequest', requireTherapist)
      therapist.addHook('onRequest', guardAccess(db))
      await therapist.register(caseRoutes, { prefix, repository: caseRepository(db, timeZone) })
      await therapist.register(sessionRoutes, { prefix, ...options })
      await therapist.register(reportRoutes, { prefix, ...options })
      await therapist.register(erasureRoutes, { prefix, db })
      await therapist.register(auditRoutes, { prefix, db })
      await therapist.register(exportRoutes, { prefix, db })
    })
    await app.register(receiptKeyRoutes, { prefix, db })
    await app.register(eventRoutes, { prefix, ...options })
    await app.register(async (operator) => {
      operator.addHook('onRequest', requireOperator)
      await operator.register(operationRoutes, { prefix, ...options })
    })
    await app.register(async (analysis) => {
      analysis.addHook('onRequest', requireReportWriter)
      analysis.addHook('onRequest', guardExistence(db))
      await analysis.register(reportDeliveryRoutes, { prefix, ...options })
    })
  }
