import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Database } from '@playtherapy/schema'
import { errors, failures, refusals, renewed } from '@playtherapy/service-kit'
import { erasureRepository, publicKeys } from './repository.ts'
import { Erasure, ErasureParams, Erasures, ErasuresQuery, ReceiptKeys, uuid } from './schemas.ts'

const route = { tags: ['erasure'], security: [{ token: [] }] }

type Row = NonNullable<Awaited<ReturnType<ReturnType<typeof erasureRepository>['get']>>>

/** When an erasure reached a step; null before. */
const at = (moment: Date | null) => moment?.toISOString() ?? null

const toState = (row: Omit<Row, 'receipt'>) => {
  const swept = row.lockedUntil === null ? ('erased' as const) : ('locked' as const)
  return {
    id: row.id,
    state: row.lastSweptAt === null ? ('pending' as const) : swept,
    case_id: row.caseId,
    session_id: row.sessionId,
    video_id: row.videoId,
    asked_at: row.askedAt.toISOString(),
    asked_by: row.askedBy,
    first_swept_at: at(row.firstSweptAt),
    last_sweep_due: row.lastSweepDue.toISOString(),
    last_swept_at: at(row.lastSweptAt),
    locked_until: at(row.lockedUntil),
  }
}

/** The routes by which a therapist sees how far deletions are, and gets the proof of them. */
export const erasureRoutes: FastifyPluginAsyncTypebox<{ db: Database }> = async (app, { db }) => {
  const repository = erasureRepository(db)

  app.get(
    '/erasure',
    {
      schema: {
        ...route,
        operationId: 'erasures.list',
        summary: 'List erasures, newest first, a hundred at a time',
        querystring: ErasuresQuery,
        response: { 200: Erasures, ...failures() },
      },
    },
    async ({ userId, query }) => (await repository.list(userId, query.before)).map(toState),
  )

  app.get(
    '/erasure/:id',
    {
      schema: {
        ...route,
        operationId: 'erasures.get',
        summary: 'See how far an erasure is, and get its receipt',
        params: ErasureParams,
        response: { 200: Erasure, ...failures('erasureNotFound') },
      },
    },
    async ({ userId, params: { id } }) => {
      const row = uuid.test(id) ? await repository.get(userId, id) : undefined
      if (!row) throw errors.erasureNotFound()
      return { ...toState(row), receipt: row.receipt }
    },
  )
}

/** For how long the public keys are not read again, in milliseconds. */
const keysMs = 10_000

/** The route of the public keys of receipts, which whoever holds a receipt may ask for, so that it takes no token. */
export const receiptKeyRoutes: FastifyPluginAsyncTypebox<{ db: Database }> = async (app, { db }) => {
  const keys = renewed(() => publicKeys(db).execute(), keysMs)
  app.get(
    '/erasure/keys',
    {
      schema: {
        tags: route.tags,
        operationId: 'erasures.listKeys',
        summary: 'The public keys by which receipts are verified',
        description: 'A JWK Set (RFC 7517). It takes no token.',
        response: { 200: ReceiptKeys, ...refusals('unreadable', 'unavailable', 'unexpected') },
      },
    },
    async () => ({
      keys: (await keys.get()).map((key) => ({
        ...({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' } as const),
        ...key,
      })),
    }),
  )
}
