import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type AuthSettings, secretsOf } from './auth-settings.ts'
import { errors } from './errors.ts'
import type { ReadyChecks } from './health.ts'
import { type Claims, checksOf, createVerification, refusalOf, type Verification } from './verification.ts'

declare module 'fastify' {
  interface FastifyInstance {
    verifyToken: Verification['verify']
  }
  interface FastifyRequest {
    /** The therapist of the token; 0 until `requireTherapist` has run. */
    userId: number
    /** When that token ends, in seconds; 0 before. */
    tokenEndsAt: number
  }
}

declare module '@fastify/jwt' {
  interface FastifyJWT {
    payload: Claims
    user: Claims
  }
}

const largestUserId = 2_147_483_647
/** How long a token may still be valid, in seconds: a year, and one day for clocks and leap days. */
const longestSeconds = 366 * 86_400

/** The keys are in a key set, and @fastify/jwt, which only finds the token in a request, has none. */
const noKey = () => {
  throw new Error('no key is used')
}

/** Prepares the verification of tokens, and returns its checks for readiness. Throws if no key for it is set. */
export async function installAuth(host: FastifyInstance, auth: AuthSettings): Promise<ReadyChecks> {
  const { jwtPublicKey, jwksUrl } = auth
  const [secret = '', ...others] = secretsOf(auth)
  if (secret.includes(',') && others.length === 0) {
    host.log.warn('JWT_SECRET is read as one secret with a comma: of several, each needs 32 characters')
  }
  const verification = createVerification(auth, host.log)
  host.addHook('onClose', async () => verification.close())
  host.decorate('verifyToken', verification.verify)
  host.meter.gauges(
    { token_keys_age_seconds: { help: 'Time since the key set of the sign-in service was read' } },
    async () => ({ token_keys_age_seconds: verification.keysAgeSeconds() }),
  )
  await host.register(jwt, {
    secret: jwksUrl ? { public: noKey } : jwtPublicKey ? { public: jwtPublicKey } : secret,
    verify: { ...checksOf(auth), onlyCookie: false },
  })
  host.decorateRequest('userId', 0)
  host.decorateRequest('tokenEndsAt', 0)
  return verification.ready
}

async function verify(request: FastifyRequest): Promise<Claims> {
  const { server } = request
  let claims: Claims
  try {
    claims = await server.verifyToken(server.jwt.lookupToken(request))
  } catch (error) {
    throw refusalOf(error)
  }
  // A token cannot be revoked, so one without an end would open a therapist's cases for ever.
  const { exp = Number.POSITIVE_INFINITY } = claims
  if (exp > Date.now() / 1000 + longestSeconds) throw errors.invalidToken('exp is more than a year ahead')
  return claims
}

/**
 * The onRequest hook of every route for therapists. Requires a valid token whose `user_id` is a positive integer, and
 * throws `errors.invalidToken` (401) otherwise, or `errors.unavailable` (503) while its key set is not known. The request is
 * then admitted: `errors.tooManyRequests` (429) or `errors.unavailable` (503) if too many wait.
 */
export async function requireTherapist(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { user_id, exp = 0 } = await verify(request)
  if (user_id === undefined) throw errors.invalidToken('the claim user_id is missing')
  request.userId = therapist(user_id)
  request.tokenEndsAt = exp
  request.server.admit(request, reply)
}

/** The id of a therapist that a claim names. Throws `errors.invalidToken` (401) for anything else. */
function therapist(claim: unknown): number {
  if (typeof claim === 'number' && Number.isInteger(claim) && claim >= 1 && claim <= largestUserId) return claim
  throw errors.invalidToken('the claim user_id is not a positive integer')
}

/** Whether a claim `scope` holds this one: in a list, or as a word of one text as in RFC 8693. */
const holds = (scope: unknown, wanted: string): boolean =>
  Array.isArray(scope) ? scope.includes(wanted) : typeof scope === 'string' && scope.split(' ').includes(wanted)

/** Holder of the share of all operators without a `user_id`, beside the therapists, whose ids are positive, and 0. */
const operators = -1

/**
 * The onRequest hook of the routes for operators. Requires a token that has the scope `operations`; throws
 * `errors.invalidToken` (401) otherwise. With a `user_id` the same token is that of a therapist, too, whose share the request
 * counts to; all tokens without one have one share together.
 */
export async function requireOperator(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { user_id, scope } = await verify(request)
  if (!holds(scope, 'operations')) throw errors.invalidToken('only a token with the scope operations opens this')
  if (user_id !== undefined) request.userId = therapist(user_id)
  request.server.admit(request, reply, request.userId || operators)
}

/**
 * The onRequest hook of the route to which the analysis system delivers reports. Requires a token that has the scope
 * `reports:write` and neither the scope `operations` nor a `user_id`; throws `errors.invalidToken` (401) otherwise. The analysis
 * system has the share of one therapist.
 */
export async function requireReportWriter(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { user_id, scope } = await verify(request)
  if (user_id !== undefined || !holds(scope, 'reports:write') || holds(scope, 'operations')) {
    throw errors.invalidToken('only a token with the scope reports:write, without operations and user_id, opens this')
  }
  request.server.admit(request, reply)
}
