import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'

declare module 'fastify' {
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

interface Claims {
  user_id?: unknown
  scope?: unknown
  aud?: string | string[]
  iss?: string
  exp?: number
}

export interface AuthSettings {
  /** The shared secret of HS256 tokens. */
  jwtSecret?: string
  /** PEM public key. If it is set, only asymmetric tokens are accepted, and the secret is not used. */
  jwtPublicKey?: string
  /** The audience that tokens must name, alone or among others; not checked by default. */
  jwtAudience?: string
  /** The issuer that tokens must name; not checked by default. */
  jwtIssuer?: string
  /** `id:secret,id:secret`: the keys of signed links. Without them one key is derived from `jwtSecret`. */
  linkKeys?: string
  /** How long a signed link is valid, in seconds; six hours by default. */
  linkSeconds?: number
}

const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
const largestUserId = 2_147_483_647
/** How long a token may still be valid, in seconds: a year, and one day for clocks and leap days. */
const longestSeconds = 366 * 86_400

/** How far the clock of the sign-in service may be off ours. */
const clockToleranceMs = 10_000

/** Why the library refused a token, by its code; all other codes are kinds of malformed tokens. */
const reasons: Record<string, string> = {
  FAST_JWT_EXPIRED: 'the token has expired',
  FAST_JWT_INACTIVE: 'the token is not valid yet',
  FAST_JWT_INVALID_SIGNATURE: 'the signature does not match',
  FAST_JWT_MISSING_SIGNATURE: 'the token is not signed',
  FAST_JWT_INVALID_ALGORITHM: 'the token is signed by an algorithm that is not accepted',
}

/** Says why a token was refused, and repeats nothing of it. */
function reasonFor(error: unknown): string | undefined {
  const { code = '', message = '' } = error instanceof Error && 'code' in error ? error : {}
  if (code === 'FST_JWT_NO_AUTHORIZATION_IN_HEADER') return undefined
  const claim = /^The (exp|nbf|iat|aud|iss) claim (is required)?/.exec(message)
  if (claim) return `the claim ${claim[1]} is ${claim[2] ? 'missing' : 'not the expected one'}`
  return reasons[String(code)] ?? 'the token is malformed'
}

/**
 * Prepares the verification of tokens. The algorithms are fixed: a verifier that trusts the header of a token accepts
 * `none`, or takes a public key for a shared secret (RFC 8725, section 3.1). `exp` is required, and `aud` and `iss` if they
 * are configured. `exp` and `nbf` may be 10 s off, and `iat` is not checked (RFC 7519, section 4.1.6), because clocks
 * differ.
 */
export async function installAuth(
  host: FastifyInstance,
  { jwtSecret, jwtPublicKey, jwtAudience, jwtIssuer }: AuthSettings,
): Promise<void> {
  const algorithms = jwtPublicKey ? [...asymmetric] : ['HS256' as const]
  const secret = jwtPublicKey ?? jwtSecret
  if (!secret) throw new Error('either a JWT secret or a public key is needed')
  await host.register(jwt, {
    secret: jwtPublicKey ? { public: jwtPublicKey } : secret,
    verify: {
      algorithms,
      clockTolerance: clockToleranceMs,
      requiredClaims: ['exp', ...(jwtAudience ? ['aud'] : []), ...(jwtIssuer ? ['iss'] : [])],
      ...(jwtAudience && { allowedAud: jwtAudience }),
      ...(jwtIssuer && { allowedIss: jwtIssuer }),
      onlyCookie: false,
    },
  })
  host.decorateRequest('userId', 0)
  host.decorateRequest('tokenEndsAt', 0)
}

function verify(request: FastifyRequest): Claims {
  const { jwt } = request.server
  let claims: Claims
  try {
    // The same as request.jwtVerify() when the key is known from the start, in half the time.
    claims = jwt.verify(jwt.lookupToken(request))
  } catch (error) {
    throw errors.invalidToken(reasonFor(error))
  }
  // A token cannot be revoked, so one without an end would open a therapist's cases for ever.
  const { exp = Number.POSITIVE_INFINITY } = claims
  if (exp > Date.now() / 1000 + longestSeconds) throw errors.invalidToken('exp is more than a year ahead')
  return claims
}

/**
 * The onRequest hook of every route for therapists. Requires a valid token whose `user_id` is a positive integer, and
 * throws `errors.invalidToken` (401) otherwise. The request is then admitted: `errors.tooManyRequests` (429) or
 * `errors.unavailable` (503) if too many wait.
 */
export async function requireTherapist(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { user_id, exp = 0 } = verify(request)
  if (user_id === undefined) throw errors.invalidToken('the claim user_id is missing')
  if (typeof user_id !== 'number' || !Number.isInteger(user_id) || user_id < 1 || user_id > largestUserId) {
    throw errors.invalidToken('the claim user_id is not a positive integer')
  }
  request.userId = user_id
  request.tokenEndsAt = exp
  request.server.admit(request, reply)
}

/**
 * The onRequest hook of the route to which the analysis system delivers reports. Requires a token that has the scope
 * `reports:write` (in a list, or as a word of one text as in RFC 8693) and no `user_id`; throws `errors.invalidToken`
 * (401) otherwise. The analysis system has the share of one therapist.
 */
export async function requireReportWriter(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { user_id, scope } = verify(request)
  const scopes = Array.isArray(scope) ? scope : typeof scope === 'string' ? scope.split(' ') : []
  if (user_id !== undefined || !scopes.includes('reports:write')) {
    throw errors.invalidToken('only a token with the scope reports:write and without user_id opens this')
  }
  request.server.admit(request, reply)
}
