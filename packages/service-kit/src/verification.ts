import { createDecoder, createVerifier } from 'fast-jwt'
import type { FastifyBaseLogger } from 'fastify'
import { type AuthSettings, secretsOf } from './auth-settings.ts'
import { ApiError, errors } from './errors.ts'
import type { ReadyChecks } from './health.ts'
import { createKeySet, type KeySet } from './key-set.ts'
import type { KeyHints } from './published-keys.ts'

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

/** Converts what @fastify/jwt or fast-jwt threw to `errors.invalidToken` (401); an ApiError stays as it is. */
export const refusalOf = (error: unknown) => (error instanceof ApiError ? error : errors.invalidToken(reasonFor(error)))

/**
 * What is checked of every token. The algorithms are fixed: a verifier that trusts the header of a token accepts `none`, or
 * takes a public key for a shared secret (RFC 8725, section 3.1). `exp` is required, and `aud` and `iss` if they are
 * configured. `exp` and `nbf` may be 10 s off, and `iat` is not checked (RFC 7519, section 4.1.6), because clocks differ.
 */
export const checksOf = ({ jwtPublicKey, jwksUrl, jwtAudience, jwtIssuer }: AuthSettings) => ({
  algorithms: jwtPublicKey || jwksUrl ? [...asymmetric] : ['HS256' as const],
  clockTolerance: clockToleranceMs,
  requiredClaims: ['exp', ...(jwtAudience ? ['aud'] : []), ...(jwtIssuer ? ['iss'] : [])],
  ...(jwtAudience && { allowedAud: jwtAudience }),
  ...(jwtIssuer && { allowedIss: jwtIssuer }),
})

const isMismatch = (error: unknown) => codeOf(error) === 'FAST_JWT_INVALID_SIGNATURE'

/** Tries a token with each key, of which only a signature that does not match leads to the next one. Throws its last error. */
function verifyByOne(verifiers: Verifier[], token: string): Claims {
  let mismatch: unknown
  for (const verify of verifiers) {
    try {
      return verify(token)
    } catch (error) {
      if (!isMismatch(error)) throw error
      mismatch = error
    }
  }
  throw mismatch
}

const decode = createDecoder({ complete: true })

/** Reads algorithm and key id of a token, which only choose among the keys that we trust. */
function hintsOf(token: string): KeyHints {
  const { alg, kid } = decode(token).header
  if (!asymmetric.some((name) => name === alg)) throw errors.invalidToken(reasons.FAST_JWT_INVALID_ALGORITHM)
  if (kid !== undefined && typeof kid !== 'string') throw errors.invalidToken('the key id is no text')
  return { alg, ...(kid !== undefined && { kid }) }
}

/** Verifies by a key set. A key may have been replaced under its old id, so a signature that does not match asks again, too. */
async function verifyBySet(set: KeySet<Verifier>, token: string): Promise<Claims> {
  const hints = hintsOf(token)
  const find = async () => {
    const verifiers = await set.find(hints)
    if (verifiers.length === 0) throw errors.invalidToken('the token is signed by a key that is not known')
    return verifyByOne(verifiers, token)
  }
  try {
    return await find()
  } catch (error) {
    if (!isMismatch(error) || !(await set.renew())) throw error
    return find()
  }
}

export interface Verification {
  /** Returns the claims of a token. Throws an error for {@link refusalOf}. */
  verify(token: string): Claims | Promise<Claims>
  /** Checks for readiness; none where the keys are settings. */
  ready: ReadyChecks
  /** Seconds since the key set was read; undefined where there is none, or none has been read. */
  keysAgeSeconds(): number | undefined
  close(): void
}

/** Prepares the verification of tokens; a key set is fetched from now on until `close`. Throws if no key is set. */
export function createVerification(auth: AuthSettings, log: FastifyBaseLogger): Verification {
  const checks = checksOf(auth)
  const prepare = (key: string): Verifier => createVerifier({ ...checks, key })
  const { jwksUrl: url, jwksTimes: times, jwtPublicKey } = auth
  if (url) {
    const set = createKeySet({ url, prepare, log, times })
    return {
      verify: (token) => verifyBySet(set, token),
      ready: { token_keys: set.check },
      keysAgeSeconds: set.ageSeconds,
      close: set.close,
    }
  }
  const keys = jwtPublicKey ? [jwtPublicKey] : secretsOf(auth)
  if (keys.length === 0) throw new Error('either a JWT secret or a public key is needed')
  const verifiers = keys.map(prepare)
  return {
    verify: (token) => verifyByOne(verifiers, token),
    ready: {},
    keysAgeSeconds: () => undefined,
    close: () => {},
  }
}
