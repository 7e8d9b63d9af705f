import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createOnce, type ObjectStore, type Phase, receiptKeyKey } from '@playtherapy/object-store'
import { type Database, receiptKeys } from '@playtherapy/schema'

/** The key that signs receipts of erasures. */
export interface ReceiptKey {
  kid: string
  privateKey: KeyObject
}

/** The thumbprint of an Ed25519 key (RFC 7638): the hash of its required members, in the order of their names. */
const thumbprint = (x: string) =>
  createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url')

/** The public key whose JWK has this `x`. Throws if it is none. */
export const publicKeyOf = (x: string): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })

/**
 * Reads the key of this installation. The first worker makes it: the private half is an object in the bucket, beside the one that
 * names the installation, and the public half a row, so that a dump of the database signs nothing.
 */
export async function openReceiptKey(db: Database, store: ObjectStore, phase: Phase): Promise<ReceiptKey> {
  const make = () => String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const pem = await createOnce(store, receiptKeyKey(phase), 'application/x-pem-file', make)
  const privateKey = createPrivateKey(pem)
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (!x) throw new Error('the key of receipts is malformed')
  const kid = thumbprint(x)
  await db.insert(receiptKeys).values({ kid, x }).onConflictDoNothing()
  return { kid, privateKey }
}
