import { sign, verify } from 'node:crypto'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { publicKeyOf, type ReceiptKey } from './receipt-key.ts'

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

const typ = 'erasure-receipt+jwt'

const Header = Type.Object({ alg: Type.Literal('EdDSA'), typ: Type.Literal(typ), kid: Type.String() })

/** Signs a payload: a JWS in compact form (RFC 7515) by Ed25519 (RFC 8037). */
export function signReceipt(payload: object, { kid, privateKey }: ReceiptKey): string {
  const signed = `${base64url({ alg: 'EdDSA', typ, kid })}.${base64url(payload)}`
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`
}

/** A receipt is not genuine. The message says why. */
export class ReceiptError extends Error {
  override name = 'ReceiptError'
}

function parse(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString())
  } catch {
    return undefined
  }
}

/** Verifies a receipt by the public keys of an installation and returns its payload. Throws ReceiptError. */
export function verifyReceipt(receipt: string, keys: readonly { kid: string; x: string }[]): unknown {
  const [, head = '', body = '', signature = ''] = /^([\w-]+)\.([\w-]+)\.([\w-]{86})$/.exec(receipt.trim()) ?? []
  const header = parse(head)
  if (!Value.Check(Header, header)) throw new ReceiptError('This is no receipt of an erasure.')
  const key = keys.find(({ kid }) => kid === header.kid)
  if (!key) throw new ReceiptError(`No key of this installation is ${header.kid}: another installation signed it.`)
  const isGenuine = verify(
    null,
    Buffer.from(`${head}.${body}`),
    publicKeyOf(key.x),
    Buffer.from(signature, 'base64url'),
  )
  if (!isGenuine) throw new ReceiptError('The signature is wrong: the receipt was changed, or is not genuine.')
  return parse(body)
}
