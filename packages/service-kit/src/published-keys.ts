import { KeyObject } from 'node:crypto'
import { createLocalJWKSet, errors as joseErrors } from 'jose'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

/** What the header of a token says of its key. It is not verified yet. */
export interface KeyHints {
  alg: string
  kid?: string
}

/** The keys of one answer of a key server. */
export interface PublishedKeys<Key> {
  /** How many may verify signatures. */
  count: number
  /** Returns those that fit a token, at most four; without a `kid` all of its algorithm fit. */
  find(hints: KeyHints): Promise<Key[]>
}

/** Makes of a public key in PEM what tokens are verified with. */
export type Prepare<Key> = (pem: string) => Key

/** Largest answer of a key server: some 1,000 keys. */
const mostBytes = 524_288
/** How many keys are tried with one token. */
const mostTried = 4
/** Shorter RSA keys are not used (RFC 7518, section 3.3). */
export const leastRsaBits = 2_048

const KeySet = Type.Object({ keys: Type.Array(Type.Unknown()) })
/** A key that may verify signatures. All others, such as symmetric ones, are ignored (RFC 7517, section 5). */
const PublicKey = Type.Object({
  kty: Type.Union([Type.Literal('RSA'), Type.Literal('EC'), Type.Literal('OKP')]),
  use: Type.Optional(Type.Literal('sig')),
})

type Finder = ReturnType<typeof createLocalJWKSet>

/** Finds keys by `kid`, and by their own `alg`, `use`, `key_ops` and type. One that cannot be read is left out. */
async function* fitting(find: Finder, hints: KeyHints) {
  try {
    yield await find({ ...hints })
  } catch (error) {
    if (error instanceof joseErrors.JWKSMultipleMatchingKeys) yield* error
  }
}

async function readFitting(find: Finder, hints: KeyHints): Promise<string[]> {
  const keys: string[] = []
  for await (const found of fitting(find, hints)) {
    const key = KeyObject.from(found)
    const { modulusLength = leastRsaBits } = key.asymmetricKeyDetails ?? {}
    if (modulusLength >= leastRsaBits) keys.push(key.export({ type: 'spki', format: 'pem' }).toString())
    if (keys.length === mostTried) break
  }
  return keys
}

/** Leaves out a key with which tokens cannot be verified, so that the tokens of the others can. */
function prepared<Key>(pem: string, prepare: Prepare<Key>): Key[] {
  try {
    return [prepare(pem)]
  } catch {
    return []
  }
}

/** Reads a key set (RFC 7517). A key is prepared when the first token needs it. Throws if it is none, or has no usable key. */
function publishedKeys<Key>(set: unknown, prepare: Prepare<Key>): PublishedKeys<Key> {
  if (!Value.Check(KeySet, set)) throw new Error('the answer is not valid')
  const usable = set.keys.filter((key) => Value.Check(PublicKey, key))
  if (usable.length === 0) throw new Error('the answer has no key that can be used')
  const find = createLocalJWKSet({ keys: usable })
  const found = new Map<string, Key[]>()
  return {
    count: usable.length,
    async find(hints) {
      const name = JSON.stringify([hints.alg, hints.kid])
      const keys = found.get(name) ?? (await readFitting(find, hints)).flatMap((pem) => prepared(pem, prepare))
      // Only what was found is remembered: nobody can forge more of that than there are keys.
      if (keys.length > 0) found.set(name, keys)
      return keys
    },
  }
}

/** Fetches the keys of a key server. Throws if the answer is not 200, is a redirect, is too large or is no key set with a usable key. */
export async function fetchKeys<Key>(
  url: string,
  prepare: Prepare<Key>,
  signal: AbortSignal,
): Promise<PublishedKeys<Key>> {
  const response = await fetch(url, { redirect: 'manual', headers: { accept: 'application/json' }, signal })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    if (response.status !== 200) break
    bytes += chunk.length
    if (bytes > mostBytes) throw new Error(`the answer is larger than ${mostBytes} bytes`)
    chunks.push(chunk)
  }
  if (response.status !== 200) throw new Error(`the answer has the status ${response.status}`)
  return publishedKeys(JSON.parse(new TextDecoder().decode(Buffer.concat(chunks))), prepare)
}
