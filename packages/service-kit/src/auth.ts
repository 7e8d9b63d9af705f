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
    payload: { user_id?: unknown; scope?: unknown; exp?: number }
    user: { user_id?: unknown; scope?: unknown }
  }
}

export interface AuthSettings {
  /** Shared secret of HS256 tokens. */
  jwtSecret?: string
  /** PEM public key; when set only asymmetric tokens are taken, and the secret opens nothing. */
  jwtPublicKey?: string
}

const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
const largestUserId = 2_147_483_647

/**
 * Prepares token verification. The algorithms are pinned: a verifier that trusts the token's header takes `none`, or a
 * public key for a shared secret (RFC 8725, section 3.1). `exp` is required.
 */
export async function installAuth(host: FastifyInstance, { jwtSecret, jwtPublicKey }: AuthSettings): Promise<void> {
  const algorithms = jwtPublicKey ? [...asymmetric] : ['HS256' as const]
  const secret = jwtPublicKey ?? jwtSecret
  if (!secret) throw new Error('either a JWT secret or a public key is needed')
  await host.register(jwt, {
    secret: jwtPublicKey ? { public: jwtPublicKey } : secret,
    verify: { algorithms, requiredClaims: ['exp'], onlyCookie: false },
  })
  host.decorateRequest('userId', 0)
}

function verify(request: FastifyRequest): { user_id?: unknown; scope?: unknown } {
  const { jwt } = request.server
  try {
    // What request.jwtVerify() comes to when the key is known from the start, for half its time.
    return jwt.verify(jwt.lookupToken(request))
  } catch {
    throw errors.invalidToken()
  }
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
