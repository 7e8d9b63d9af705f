import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ObjectStore } from '@playtherapy/object-store'
import { type Database, retry } from '@playtherapy/schema'
import { errors, failures } from '@playtherapy/service-kit'
import { keepBytes } from './bytes.ts'
import { installGauges } from './gauges.ts'
import { createOverview, createPages } from './overview.ts'
import { Announced, JobParams, Operations, OperationsQuery } from './schemas.ts'

export interface OperationOptions {
  db: Database
  store: Pick<ObjectStore, 'room'>
}

const route = { tags: ['operations'], security: [{ token: [] }] }
const description = 'For operators: a token with the scope `operations`.'

/** The routes by which operators see jobs and processes of all therapists; nothing of a case is in them but ids. */
export const operationRoutes: FastifyPluginAsyncTypebox<OperationOptions> = async (app, { db, store }) => {
  const bytes = keepBytes(db)
  const overview = createOverview(db, store, bytes, app.log)
  installGauges(app.meter, db, store, bytes)
  const pages = createPages(db)

  app.get(
    '/operations',
    {
      schema: {
        ...route,
        operationId: 'operations.get',
        summary: 'See jobs, processes, pace and room',
        description,
        querystring: OperationsQuery,
        response: { 200: Operations, ...failures() },
      },
    },
    async ({ query }) => {
      const seen = await overview.get()
      return query.after === undefined ? seen : { ...seen, ...(await pages.get(query.after)) }
    },
  )

  app.post(
    '/operations/jobs/:id/retry',
    {
      config: { audit: { action: 'update' } },
      schema: {
        ...route,
        operationId: 'operations.retry',
        summary: 'Announce a job again that was given up',
        description: `${description} What its failure left is undone: a failed recording is to be encoded again.`,
        params: JobParams,
        response: { 200: Announced, ...failures('jobNotFound') },
      },
    },
    async ({ params, cause }) => {
      if (!(await retry(db, Number(params.id), cause))) throw errors.jobNotFound()
      overview.forget()
      pages.forget()
      return true
    },
  )
}
