import { createHash } from 'node:crypto'
import { type Cause, type Database, idempotencyKeys, idempotencySeconds, type Transaction } from '@playtherapy/schema'
import { errors, fault } from '@playtherapy/service-kit'
import { and, eq, sql } from 'drizzle-orm'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'

/** The header that marks a repeated request (draft-ietf-httpapi-idempotency-key-header). */
export const IdempotencyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description:
        'A text that the client chooses for each thing to be created, best a UUID. The same request sent again within a day creates nothing and returns what the first one created; with another body it is refused with 422.',
    }),
  ),
})

/** A request with an Idempotency-Key. Only digests are stored, because both may contain personal data. */
export interface KeyedRequest {
  /** SHA-256 of the path and the key. */
  key: string
  /** SHA-256 of the body. */
  request: string
}

const digest = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Returns the digests that identify a repeated request; undefined when it has no key. */
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
  cause: Cause
}

/** Another request with this key was the first to commit. */
class RepeatedError extends Error {
  override name = 'RepeatedError'
}

const kept = sql`now() - make_interval(secs => ${idempotencySeconds})`

/** Returns the id that this request created before, if any. Throws `errors.invalidInput` if its body was another. */
async function createdBefore(
  db: Database,
  userId: number,
  { key, request }: KeyedRequest,
): Promise<number | undefined> {
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
 * Creates a case or session, in one transaction with the key of the request if it has one. The same request, sent again
 * within a day, gets the id that the first one created; during the first one it waits for its commit. `create` is one
 * statement that returns the new id, or undefined without a case to create it in. Throws `errors.invalidInput` when the
 * key was used with another body.
 */
export async function createOnce(
  db: Database,
  { userId, request, kind, cause }: Creation,
  create: (on: Database | Transaction) => Promise<number | undefined>,
): Promise<number | undefined> {
  if (!request) return create(db)
  const before = await createdBefore(db, userId, request)
  if (before !== undefined) return before
  try {
    return await db.transaction(async (tx) => {
      const id = await create(tx)
      if (id === undefined) return undefined
      const ids = { caseId: kind === 'case' ? id : null, sessionId: kind === 'session' ? id : null }
      const rows = await tx
        .insert(idempotencyKeys)
        .values({ userId, ...request, ...ids })
        .onConflictDoUpdate({
          target: [idempotencyKeys.userId, idempotencyKeys.key],
          set: { request: request.request, ...ids, createdAt: sql`now()` },
          setWhere: sql`${idempotencyKeys.createdAt} <= ${kept}`,
        })
        .returning({ key: idempotencyKeys.key })
      if (rows.length === 0) throw new RepeatedError()
      return id
    })
  } catch (error) {
    if (!(error instanceof RepeatedError)) throw error
    // Its events were rolled back with it.
    cause.isNamed = false
    const other = await createdBefore(db, userId, request)
    // The other one was deleted meanwhile; a retry creates a new one.
    if (other === undefined) throw errors.unavailable()
    return other
  }
}
