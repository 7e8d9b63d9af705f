import { createVerifier } from 'fast-jwt'
import { type AuthSettings, secretsOf } from './auth-settings.ts'
import { errors } from './errors.ts'

/** What we read of a token; each claim may be anything until it is checked. */
export interface Claims {
  user_id?: unknown
  scope?: unknown
  aud?: string | string[]
  iss?: string
  exp?: number
}

/** Returns the claims of a token by one key. Throws an error of fast-jwt. */
type Verifier = (token: string) => Claims

const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const

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

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** Says why a token was refused, and repeats nothing of it. */
function reasonFor(error: unknown): string | undefined {
  const code = codeOf(error)
  if (code === 'FST_JWT_NO_AUTHORIZATION_IN_HEADER') return undefined
  const claim = /^The (exp|nbf|iat|aud|iss) claim (is required)?/.exec(error instanceof Error ? error.message : '')
  if (claim) return `the claim ${claim[1]} is ${claim[2] ? 'missing' : 'not the expected one'}`
  return reasons[code] ?? 'the token is malformed'
}

/** Converts what @fastify/jwt or fast-jwt threw to `errors.invalidToken` (401). */
export const refusalOf = (error: unknown) => errors.invalidToken(reasonFor(error))

/**
 * What is checked of every token. The algorithms are fixed: a verifier that trusts the header of a token accepts `none`, or
 * takes a public key for a shared secret (RFC 8725, section 3.1). `exp` is required, and `aud` and `iss` if they are
 * configured. `exp` and `nbf` may be 10 s off, and `iat` is not checked (RFC 7519, section 4.1.6), because clocks differ.
 */
export const checksOf = ({ jwtPublicKey, jwtAudience, jwtIssuer }: AuthSettings) => ({
  algorithms: jwtPublicKey ? [...asymmetric] : ['HS256' as const],
  clockTolerance: clockToleranceMs,
  requiredClaims: ['exp', ...(jwtAudience ? ['aud'] : []), ...(jwtIssuer ? ['iss'] : [])],
  ...(jwtAudience && { allowedAud: jwtAudience }),
  ...(jwtIssuer && { allowedIss: jwtIssuer }),
})

/** Tries a token with each key, of which only a signature that does not match leads to the next one. Throws its last error. */
function verifyByOne(verifiers: Verifier[], token: string): Claims {
  let mismatch: unknown
  for (const verify of verifiers) {
    try {
      return verify(token)
    } catch (error) {
      if (codeOf(error) !== 'FAST_JWT_INVALID_SIGNATURE') throw error
      mismatch = error
    }
  }
  throw mismatch
}

/** Returns a function that verifies a token and returns its claims; it throws an error for {@link refusalOf}. */
export function createVerification(auth: AuthSettings): (token: string) => Claims {
  const keys = auth.jwtPublicKey ? [auth.jwtPublicKey] : secretsOf(auth)
  if (keys.length === 0) throw new Error('either a JWT secret or a public key is needed')
  const verifiers = keys.map((key) => createVerifier({ ...checksOf(auth), key }))
  return (token) => verifyByOne(verifiers, token)
}
