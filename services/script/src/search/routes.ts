import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fold } from '@playtherapy/schema'
import { CaseParams, caseFailures, errors, fault } from '@playtherapy/service-kit'
import { excerpt } from './excerpt.ts'
import { pageScripts, type SearchOptions } from './page-scripts.ts'
import { findRecords } from './repository.ts'
import { SearchQuery, SearchResult } from './schemas.ts'

/** Hits of one response by default, and at most. */
const [usualHits, mostHits] = [50, 200]

export const searchRoutes: FastifyPluginAsyncTypebox<SearchOptions> = async (app, options) => {
  app.get(
    '/script-search',
    {
      schema: {
        tags: ['script'],
        security: [{ token: [] }],
        operationId: 'scripts.search',
        summary: "Search the newest script of each of a case's sessions",
        params: CaseParams,
        querystring: SearchQuery,
        response: { 200: SearchResult, ...caseFailures('invalidRange') },
      },
    },
    async (request, reply) => {
      const keyword = fold(request.query.keyword).trim()
      if (keyword === '') throw fault(['query', 'keyword'], 'has no character that is seen')
      const skip = Number(request.query.skip ?? 0)
      const limit = Number(request.query.limit ?? usualHits)
      if (skip < 0 || limit < 0 || limit > mostHits) throw errors.invalidRange(skip, skip + limit - 1)
      const unread = await pageScripts(options, request, reply)
      // One hit more than the limit shows whether there are more.
      const found = await findRecords(options.db, request, keyword, { skip, limit: limit + 1 })
      const hits = found.slice(0, limit).map(({ around, ...hit }) => ({ ...hit, ...excerpt(around, keyword) }))
      return { hits, more: found.length > limit, unread }
    },
  )
}
