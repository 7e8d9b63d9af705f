import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { type AuthSettings, secretsOf } from './auth-settings.ts'

/**
 * The key of a secret. It is derived also where the secret is set for links alone, so that no signature made with the same
 * secret elsewhere, like that of a JWT, is one of a link.
 */
const keyFrom = (secret: string) => Buffer.from(hkdfSync('sha256', secret, '', 'playtherapy signed links', 32))

/** The keys with their ids; the first one signs. The id `jwt` names each key that is derived from a secret of JWTs. */
function keysFrom(auth: AuthSettings): { id: string; key: Buffer }[] {
  const pairs = auth.linkKeys?.split(',') ?? secretsOf(auth).map((secret) => `jwt:${secret}`)
  return pairs.map((pair) => {
    const end = pair.indexOf(':')
    return { id: pair.slice(0, end), key: keyFrom(pair.slice(end + 1)) }
  })
}

/** The signature of a payload, as text. */
const signatureOf = (payload: string, key: Buffer) => createHmac('sha256', key).update(payload).digest('base64url')

/** Compares two signatures of 43 characters in a time that does not tell where they differ. */
const isSame = (a: string, b: string) => timingSafeEqual(Buffer.from(a), Buffer.from(b))

/**
 * A token: payload and signature. No payload of ours is longer: a key id of 32 characters, four int4, a purpose and a
 * time.
 */
const tokenPattern = /^([\w-]{1,150})\.([\w-]{43})$/
/** A payload: the id of the key, and what is signed. */
const payloadPattern = /^([\w-]{1,32}):(.+)$/

/** Signs texts for URLs, and verifies them. */
export interface Signer {
  /** Returns a function that makes the token of some parts, which hold no colon. Throws if no key is set. */
  begin(): (...parts: (string | number)[]) => string
  /** Returns the parts of a token, joined by colons; undefined if it is none of ours. */
  read(token: string): string | undefined
}

/** Signs with the first of the keys and verifies with all. Without any key nothing can be signed, and nothing is ours. */
export function createSigner(auth: AuthSettings): Signer {
  const keys = keysFrom(auth)
  const [signing] = keys
  return {
    begin() {
      if (!signing) throw new Error('no key for a link is set')
      const { id, key } = signing
      return (...parts) => {
        const payload = Buffer.from([id, ...parts].join(':')).toString('base64url')
        return `${payload}.${signatureOf(payload, key)}`
      }
    },
    read(token) {
      const [, payload = '', signature = ''] = tokenPattern.exec(token) ?? []
      const [, id = '', text] = payloadPattern.exec(Buffer.from(payload, 'base64url').toString('latin1')) ?? []
      const isOurs = keys.some((own) => own.id === id && isSame(signature, signatureOf(payload, own.key)))
      return isOurs ? text : undefined
    },
  }
}
