import { batch, computed, signal } from '@preact/signals'
import { serverTime } from './server-time.ts'

/** The time of the server is known to about a second. */
const clockMs = 60_000

/** What the page reads in a token. The server alone decides whether it is valid. */
interface Claims {
  /** Absent in the token of an operator who is no therapist. */
  user_id?: number
  user_name?: unknown
  user_email?: unknown
  /** Seconds since 1970. */
  exp?: unknown
  scope?: unknown
}

/** The token of who uses the page, kept in memory alone; null when nobody is signed in. */
export const token = signal<string | null>(null)

/** Why the server has refused the token, null while it has not. What the page shows, and what was typed, stays behind. */
export const tokenRefusal = signal<'expired' | 'refused' | null>(null)

/** The claims of the token, undefined where it has none that can be read. */
export const claims = computed(() => (token.value === null ? undefined : readClaims(token.value)))

/** Who uses the page; it stays the same with a newer token of the same therapist. */
export const userId = computed(() => claims.value?.user_id)

/** How the token names who uses the page. */
export const person = computed(() => {
  const { user_name: name, user_email: email } = claims.value ?? {}
  return [name, email].find((text) => typeof text === 'string' && text !== '')?.toString()
})

/** Reads the claims of a token, whatever somebody has pasted. */
export function readClaims(text: string): Claims | undefined {
  try {
    const part = (text.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0))
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return isClaims(claims) ? claims : undefined
  } catch {
    return undefined
  }
}

const isClaims = (claims: unknown): claims is Claims =>
  typeof claims === 'object' &&
  claims !== null &&
  ('user_id' in claims ? Number.isSafeInteger(claims.user_id) : 'scope' in claims && holds(claims.scope))

/** Whether a scope opens the view of operators: in a list, or as a word of one text. */
const holds = (scope: unknown): boolean =>
  Array.isArray(scope)
    ? scope.includes('operations')
    : typeof scope === 'string' && scope.split(' ').includes('operations')

/** Whether who uses the page sees operations, beside cases or alone. */
export const isOperator = computed(() => holds(claims.value?.scope))
export const isOnlyOperator = computed(() => isOperator.value && claims.value?.user_id === undefined)

/** The token of this therapist. Throws once nobody or somebody else is signed in: no work is sent in another person's name. */
export function tokenOf(owner: number | undefined): string {
  const now = token.peek()
  if (now === null || userId.peek() !== owner) throw new Error('Another user is signed in')
  return now
}

/** Lets the page ask for another token, because the server has refused this one. A token that was replaced meanwhile matters no more. */
export function noteRefusal(sent: string): void {
  if (token.value === null || sent !== token.value) return
  const { exp } = claims.value ?? {}
  tokenRefusal.value = typeof exp === 'number' && exp * 1_000 <= serverTime() + clockMs ? 'expired' : 'refused'
}

/** Goes on with this token. */
export function signIn(given: string): void {
  batch(() => {
    token.value = given
    tokenRefusal.value = null
  })
}

/** Forgets the token and everything that the page shows. */
export function signOut(): void {
  token.value = null
  tokenRefusal.value = null
  history.replaceState(null, '', `${location.pathname}${location.search}`)
  dispatchEvent(new HashChangeEvent('hashchange'))
}

/**
 * Removes a token from the address, `#token=…`. Only the page of `npm start` signs in by it, and only where nobody is signed in
 * yet: with a link, somebody could let a therapist work in another account without noticing.
 */
export function takeToken(): void {
  if (!location.hash.startsWith('#token=')) return
  const given = /^#token=([\w-]+\.[\w-]+\.[\w-]+)$/.exec(location.hash)?.[1]
  const isTaken = document.documentElement.hasAttribute('data-sign-in-by-link')
  if (given && isTaken && (token.value === null || tokenRefusal.value !== null)) signIn(given)
  history.replaceState(null, '', `${location.pathname}${location.search}`)
}
