import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errors } from './errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The therapist, from the token; 0 before `requireTherapist` has run. */
    userId: number
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
  /** Shared secret of HS256 tokens. */
  jwtSecret?: string
  /** PEM public key; when set only asymmetric tokens are taken, and the secret opens nothing. */
  jwtPublicKey?: string
  /** Tokens must be for this audience, among others or alone; any by default. */
  jwtAudience?: string
  /** Tokens must come from this issuer; any by default. */
  jwtIssuer?: string
}

const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
const largestUserId = 2_147_483_647
/** Longest time for which a token may still be good, in seconds: a year, and a day for clocks and leap days. */
const longestSeconds = 366 * 86_400

/**
 * Prepares token verification. The algorithms are pinned: a verifier that trusts the token's header takes `none`, or a
 * public key for a shared secret (RFC 8725, section 3.1). `exp` is required, and `aud` and `iss` where they are
 * configured. `iat` is not judged (RFC 7519, section 4.1.6): the clock of a sign-in service may be ahead of ours.
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
      requiredClaims: ['exp', ...(jwtAudience ? ['aud'] : []), ...(jwtIssuer ? ['iss'] : [])],
      ...(jwtAudience && { allowedAud: jwtAudience }),
      ...(jwtIssuer && { allowedIss: jwtIssuer }),
      onlyCookie: false,
    },
  })
  host.decorateRequest('userId', 0)
}

function verify(request: FastifyRequest): Claims {
  const { jwt } = request.server
  let claims: Claims
  try {
    // What request.jwtVerify() comes to when the key is known from the start, for half its time.
    claims = jwt.verify(jwt.lookupToken(request))
  } catch {
    throw errors.invalidToken()
  }
  // A token cannot be taken back, so that one for ever would be a key to a therapist's cases for ever.
  const { exp = Number.POSITIVE_INFINITY } = claims
  if (exp > Date.now() / 1000 + longestSeconds) throw errors.invalidToken()
  return claims
}

/**
 * onRequest hook of every route for therapists: a valid token whose user_id is a positive integer, 401 otherwise. Who
 * has one waits for the answer among the others: 429 and 503 when too many wait.
 */
export async function requireTherapist(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { user_id } = verify(request)
  if (typeof user_id !== 'number' || !Number.isInteger(user_id) || user_id < 1 || user_id > largestUserId) {
    throw errors.invalidToken()
  }
  request.userId = user_id
  request.server.admit(request, reply)
}

/**
 * onRequest hook of the route by which the analysis system delivers reports: a token that holds the scope
 * `reports:write` (a list, or words in one text as in RFC 8693) and names no user. 401 otherwise. Its share of the bounds
 * is that of one therapist.
 */
export async function requireReportWriter(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { user_id, scope } = verify(request)
  const scopes = Array.isArray(scope) ? scope : typeof scope === 'string' ? scope.split(' ') : []
  if (user_id !== undefined || !scopes.includes('reports:write')) throw errors.invalidToken()
  request.server.admit(request, reply)
}
