import { createHash } from 'node:crypto'
import { type Database, idempotencyKeys, type Transaction } from '@playtherapy/schema'
import { errors, fault } from '@playtherapy/service-kit'
import { and, eq, sql } from 'drizzle-orm'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'

/** The header by which a repeated request is known (draft-ietf-httpapi-idempotency-key-header). */
export const IdempotencyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description:
        'A text of your own for each thing to be created, best a UUID. The same request sent again within a day creates nothing and is answered with what the first one created; with another body it is 422.',
    }),
  ),
})

/** A request with an Idempotency-Key. Only digests are kept, for a client may put anything into either. */
export interface KeyedRequest {
  /** SHA-256 of the path and the key. */
  key: string
  /** SHA-256 of the body. */
  request: string
}

const digest = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')

/** What a request is known by when it is repeated; undefined when it names no key. */
export function keyedRequest(request: FastifyRequest): KeyedRequest | undefined {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string') return undefined
  return {
    key: digest(JSON.stringify([request.routeOptions.url, request.caseId, key])),
    request: digest(request.rawBody ?? ''),
  }
}

interface Creation {
  userId: number
  request: KeyedRequest | undefined
  kind: 'case' | 'session'
}

/** Another request with this key has created its case or session first. */
class RepeatedError extends Error {
  override name = 'RepeatedError'
}

const kept = sql`now() - interval '1 day'`

/** What the request created when it came before. Throws 422 when it had another body then. */
async function madeBefore(db: Database, userId: number, { key, request }: KeyedRequest): Promise<number | undefined> {
  const [found] = await db
    .select()
    .from(idempotencyKeys)
    .where(
      and(
        eq(idempotencyKeys.userId, userId),
        eq(idempotencyKeys.key, key),
        sql`${idempotencyKeys.createdAt} > ${kept}`,
      ),
    )
  if (!found) return undefined
  if (found.request !== request) throw fault(['header', 'idempotency-key'], 'was sent before with another body')
  return found.caseId ?? found.sessionId ?? undefined
}

/**
 * Creates a case or session, in one transaction with the key of the request if it has one: the same request, sent again
 * within a day, gets the id of what the first one created. One that comes while the first is under way waits for its
 * commit. `make` is one statement; it returns the new id, or undefined when there is nothing to create it in. Throws 422 when the
 * key was used with another body.
 */
export async function makeOnce(
  db: Database,
  { userId, request, kind }: Creation,
  make: (on: Database | Transaction) => Promise<number | undefined>,
): Promise<number | undefined> {
  if (!request) return make(db)
  const before = await madeBefore(db, userId, request)
  if (before !== undefined) return before
  try {
    return await db.transaction(async (tx) => {
      const id = await make(tx)
      if (id === undefined) return undefined
      const made = { caseId: kind === 'case' ? id : null, sessionId: kind === 'session' ? id : null }
      const rows = await tx
        .insert(idempotencyKeys)
        .values({ userId, ...request, ...made })
        .onConflictDoUpdate({
          target: [idempotencyKeys.userId, idempotencyKeys.key],
          set: { request: request.request, ...made, createdAt: sql`now()` },
          setWhere: sql`${idempotencyKeys.createdAt} <= ${kept}`,
        })
        .returning({ key: idempotencyKeys.key })
      if (rows.length === 0) throw new RepeatedError()
      return id
    })
  } catch (error) {
    if (!(error instanceof RepeatedError)) throw error
    const other = await madeBefore(db, userId, request)
    // It was deleted again in between; the next attempt creates a new one.
    if (other === undefined) throw errors.unavailable()
    return other
  }
}
