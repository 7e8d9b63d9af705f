import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { descriptionBytes } from '@playtherapy/schema'
import { bodyErrors, CaseParams, caseFailures, checkExact, errors, failures, fault } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { erasurePath, locationOfErasure } from '../erasures/path.ts'
import { IdempotencyHeader, keyedRequest } from '../idempotency.ts'
import { sendList } from '../lists.ts'
import { KeywordQuery, ListQuery, pages, readPage } from '../paging.ts'
import type { caseRepository, NewCase } from './repository.ts'
import { Case, CaseBody, Cases } from './schemas.ts'

/** A long list reads this many cases at a time; with the largest descriptions they take some 10 MB of memory. */
const casesAtOnce = 20

const route = { tags: ['case'], security: [{ token: [] }] }

function toNewCase({ body, rawBody }: { body: CaseBody; rawBody: Buffer | null }): NewCase {
  const { given_name, family_name, description, case_state_id } = body
  if (Buffer.byteLength(JSON.stringify(description ?? {})) > descriptionBytes) {
    throw fault(['body', 'description'], `must be at most ${descriptionBytes} bytes of JSON`, 'too_long')
  }
  checkExact(rawBody ?? Buffer.alloc(0), ['body'], 'description')
  return {
    givenName: given_name,
    familyName: family_name ?? null,
    description: { ...description },
    caseStateId: case_state_id ?? undefined,
  }
}

/** The routes of a therapist's cases. */
export const caseRoutes: FastifyPluginAsyncTypebox<{ repository: ReturnType<typeof caseRepository> }> = async (
  app,
  { repository },
) => {
  const read = async (userId: number, id: number) => {
    const found = await repository.get(userId, id)
    if (!found) throw errors.caseNotFound(id)
    return found
  }

  app.get(
    '/case',
    {
      schema: {
        ...route,
        operationId: 'cases.list',
        summary: 'List cases, newest first',
        querystring: ListQuery,
        response: { 200: Cases, ...failures('invalidRange') },
      },
    },
    async (request, reply) => {
      const { userId, query } = request
      return sendList(reply, {
        userId,
        page: readPage(query),
        atOnce: casesAtOnce,
        read: (range) => repository.list(userId, query.keyword, range),
        count: () => repository.count(userId, query.keyword),
      })
    },
  )

  app.get(
    '/case/total-num',
    {
      schema: {
        ...route,
        operationId: 'cases.countPages',
        summary: 'Number of pages of ten',
        querystring: KeywordQuery,
        response: { 200: Type.Integer({ examples: [3] }), ...failures() },
      },
    },
    async ({ userId, query }) => pages(await repository.count(userId, query.keyword)),
  )

  app.post(
    '/case',
    {
      schema: {
        ...route,
        operationId: 'cases.create',
        summary: 'Create a case',
        headers: IdempotencyHeader,
        body: CaseBody,
        response: { 200: Case, ...failures(...bodyErrors) },
      },
    },
    async (request) => {
      const { userId } = request
      request.caseId = await repository.create(request, toNewCase(request), keyedRequest(request))
      return read(userId, request.caseId)
    },
  )

  app.get(
    '/case/:case_id',
    {
      schema: {
        ...route,
        operationId: 'cases.get',
        summary: 'Read a case',
        params: CaseParams,
        response: { 200: Case, ...caseFailures() },
      },
    },
    async ({ userId, caseId }) => read(userId, caseId),
  )

  app.put(
    '/case/:case_id',
    {
      schema: {
        ...route,
        operationId: 'cases.replace',
        summary: 'Replace the writable fields of a case',
        params: CaseParams,
        body: CaseBody,
        response: { 200: Case, ...caseFailures(...bodyErrors) },
      },
    },
    async (request) => {
      const { userId, caseId } = request
      await repository.update(request, toNewCase(request))
      return read(userId, caseId)
    },
  )

  app.delete(
    '/case/:case_id',
    {
      schema: {
        ...route,
        operationId: 'cases.delete',
        summary: 'Delete a case, its sessions and everything stored for them',
        description: locationOfErasure,
        params: CaseParams,
        response: { 200: Type.Boolean({ examples: [true] }), ...caseFailures() },
      },
    },
    async (request, reply) => {
      const erasure = await repository.delete(request)
      if (erasure === undefined) throw errors.caseNotFound(request.caseId)
      reply.header('location', erasurePath(erasure))
      return true
    },
  )
}
