import type { KeySetTimes } from './key-set.ts'

/** How tokens and links are verified. Texts are as in the settings, see services/settings.md. */
export interface AuthSettings {
  /** Shared secrets of HS256 tokens, as {@link secretsIn} reads them: tokens of each are accepted. */
  jwtSecret?: string
  /** PEM public key. If it is set, only asymmetric tokens are accepted, and the secrets are not used. */
  jwtPublicKey?: string
  /** Address of the key set of the sign-in service. If it is set, neither the public key nor the secrets are used. */
  jwksUrl?: string
  /** Shorter times for tests. */
  jwksTimes?: Partial<KeySetTimes>
  /** The audience that tokens must name, alone or among others; not checked by default. */
  jwtAudience?: string
  /** The issuer that tokens must name; not checked by default. */
  jwtIssuer?: string
  /** `id:secret,id:secret`: the keys of signed links. Without them a key is derived from each shared secret. */
  linkKeys?: string
  /** How long a signed link is valid, in seconds; six hours by default. */
  linkSeconds?: number
}

/** Fewest characters of a shared secret. */
export const secretCharacters = 32

/** Pattern of the setting JWT_SECRET: its parts between commas are all long enough to be secrets, or all too short. */
export const secretsPattern = `^([^,]{${secretCharacters},}(, *(?! )[^,]{${secretCharacters},})*|[^,]{0,${secretCharacters - 1}}(, *(?! )[^,]{0,${secretCharacters - 1}})*)$`

/**
 * The secrets in the setting JWT_SECRET, which holds several only if each has 32 characters at least: a comma in one secret
 * that was made by hand does not part it.
 */
export function secretsIn(setting: string): string[] {
  const parts = setting.split(/, */)
  return parts.every(({ length }) => length >= secretCharacters) ? parts : [setting]
}

/** The shared secrets that are used; none where tokens are asymmetric. The first one signs what is signed here. */
export const secretsOf = ({ jwtSecret, jwtPublicKey, jwksUrl }: AuthSettings): string[] =>
  jwtSecret && !jwtPublicKey && !jwksUrl ? secretsIn(jwtSecret) : []
