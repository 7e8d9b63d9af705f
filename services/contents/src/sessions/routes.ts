import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  announceOriginal,
  NotAVideoError,
  SessionDeletedError,
  StillAnnouncedError,
  TooLargeError,
} from '@playtherapy/intake'
import { type ObjectStore, StoreFailedError } from '@playtherapy/object-store'
import type { Database, SessionOfCaller, Transaction } from '@playtherapy/schema'
import {
  bodyErrors,
  CaseParams,
  caseFailures,
  errors,
  SessionParams,
  sessionFailures,
  whenOver,
} from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { erasurePath, locationOfErasure } from '../erasures/path.ts'
import { IdempotencyHeader, keyedRequest } from '../idempotency.ts'
import { sendList } from '../lists.ts'
import { KeywordQuery, ListQuery, pages, readPage } from '../paging.ts'
import { sessionRepository } from './repository.ts'
import { NewSessionBody, Session, SessionBody, Sessions } from './schemas.ts'

export interface SessionOptions {
  db: Database
  store: ObjectStore
  timeZone: string
  /** The most bytes of a recording that was uploaded by a presigned URL. */
  uploadLimit: number
  /** The longest wait of a request for the copy of such a recording, in milliseconds; 15 s by default. */
  announceMs?: number
}

/** A long list reads this many sessions at a time, each of some 2 KB at most. */
const sessionsAtOnce = 200

const route = { tags: ['session'], security: [{ token: [] }] }

/** The routes of the sessions of a therapist's case. */
export const sessionRoutes: FastifyPluginAsyncTypebox<SessionOptions> = async (
  app,
  { db, store, timeZone, uploadLimit, announceMs },
) => {
  const repository = sessionRepository(db, timeZone)
  const read = async (caller: SessionOfCaller) => {
    const session = await repository.get(caller)
    if (!session) throw errors.sessionNotFound(caller.sessionId)
    return session
  }

  app.get(
    '/case/:case_id/session',
    {
      schema: {
        ...route,
        operationId: 'sessions.list',
        summary: 'List the sessions of a case, newest first',
        params: CaseParams,
        querystring: ListQuery,
        response: { 200: Sessions, ...caseFailures('invalidRange') },
      },
    },
    async (request, reply) => {
      const { keyword } = request.query
      return sendList(reply, {
        userId: request.userId,
        page: readPage(request.query),
        atOnce: sessionsAtOnce,
        read: (range) => repository.list(request, keyword, range),
        count: () => repository.count(request, keyword),
      })
    },
  )

  app.get(
    '/case/:case_id/session/total-num',
    {
      schema: {
        ...route,
        operationId: 'sessions.countPages',
        summary: 'Number of pages of ten',
        params: CaseParams,
        querystring: KeywordQuery,
        response: { 200: Type.Integer({ examples: [3] }), ...caseFailures() },
      },
    },
    async (request) => pages(await repository.count(request, request.query.keyword)),
  )

  app.post(
    '/case/:case_id/session',
    {
      schema: {
        ...route,
        operationId: 'sessions.create',
        summary: 'Create a session',
        params: CaseParams,
        headers: IdempotencyHeader,
        body: NewSessionBody,
        response: { 200: Session, ...caseFailures(...bodyErrors) },
      },
    },
    async (request) => {
      const { userId, caseId } = request
      const { name, video_length = null } = request.body.data
      const sessionId = await repository.create(request, name, video_length, keyedRequest(request))
      if (sessionId === undefined) throw errors.caseNotFound(caseId)
      request.sessionId = sessionId
      return read({ userId, caseId, sessionId })
    },
  )

  app.get(
    '/case/:case_id/session/:session_id',
    {
      schema: {
        ...route,
        operationId: 'sessions.get',
        summary: 'Read a session',
        params: SessionParams,
        response: { 200: Session, ...sessionFailures() },
      },
    },
    async (request) => read(request),
  )

  app.put(
    '/case/:case_id/session/:session_id',
    {
      schema: {
        ...route,
        operationId: 'sessions.replace',
        summary: 'Replace the writable fields of a session',
        description:
          'If `origin_video_url` is a key from presigned-url and its PUT has succeeded, the recording becomes that of the session and its encode starts.',
        params: SessionParams,
        body: SessionBody,
        response: { 200: Session, ...sessionFailures(...bodyErrors, 'uploadFailed') },
      },
    },
    async (request, reply) => {
      const { name, video_length = null, origin_video_url: path } = request.body.data
      const alongside = async (tx: Transaction) => {
        if (!(await repository.update(tx, request, name, video_length))) throw new SessionDeletedError()
      }
      const { sessionId, cause } = request
      const disconnected = new AbortController()
      whenOver(request, reply, () => disconnected.abort())
      const { signal } = disconnected
      const waits = { signal, ...(announceMs && { waitMs: announceMs }) }
      try {
        if (path) {
          await announceOriginal({ db, store }, { sessionId, path, limit: uploadLimit, cause, alongside, ...waits })
        } else await db.transaction(alongside)
      } catch (error) {
        if (error instanceof StillAnnouncedError) throw errors.unavailable()
        if (error instanceof SessionDeletedError) throw errors.sessionNotFound(sessionId)
        if (error instanceof TooLargeError) throw errors.tooLarge(error.limit)
        if (error instanceof NotAVideoError || error instanceof StoreFailedError) {
          throw errors.uploadFailed(path?.split('/').at(-1) ?? '', ['body', 'data', 'origin_video_url'], error)
        }
        throw error
      }
      return read(request)
    },
  )

  app.delete(
    '/case/:case_id/session/:session_id',
    {
      schema: {
        ...route,
        operationId: 'sessions.delete',
        summary: 'Delete a session and everything stored for it',
        description: locationOfErasure,
        params: SessionParams,
        response: { 200: Type.Boolean({ examples: [true] }), ...sessionFailures() },
      },
    },
    async (request, reply) => {
      const erasure = await repository.delete(request)
      if (erasure === undefined) throw errors.sessionNotFound(request.sessionId)
      reply.header('location', erasurePath(erasure))
      return true
    },
  )
}
