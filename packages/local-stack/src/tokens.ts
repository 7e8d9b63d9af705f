import { secretsIn } from '@playtherapy/service-kit'
import { createSigner } from 'fast-jwt'

export interface TokenSettings {
  /** Of several secrets the first one signs. */
  JWT_SECRET: string
  /** Claims `aud` and `iss`, where they are set. */
  JWT_AUDIENCE?: string
  JWT_ISSUER?: string
}

/** Claims of a therapist beside `iat` and `exp`; the services read `user_id` alone. */
export interface TherapistClaims {
  user_id: number
  user_email?: string
  user_name?: string
  user_type?: number | null
}

/** Claims of a therapist, or of whom else a scope names. */
export type TokenClaims = Partial<TherapistClaims> & { scope?: string }

/** Returns a function that signs tokens as the sign-in service does: HS256, valid for so many hours. */
export function tokenSigner({ JWT_SECRET, JWT_AUDIENCE, JWT_ISSUER }: TokenSettings) {
  const [key = ''] = secretsIn(JWT_SECRET)
  return (claims: TokenClaims, hours: number): string => {
    const sign = createSigner({
      key,
      algorithm: 'HS256',
      expiresIn: hours * 3_600_000,
      ...(JWT_AUDIENCE && { aud: JWT_AUDIENCE }),
      ...(JWT_ISSUER && { iss: JWT_ISSUER }),
    })
    return sign({ ...claims })
  }
}
