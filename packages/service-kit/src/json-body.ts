import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parse } from 'secure-json-parse'
import { fault } from './errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The bytes of a JSON body as they were sent; null before it is read. */
    rawBody: Buffer | null
  }
}

/** Deepest nesting of a JSON body; the contract's documents need six. */
const deepest = 32

/** Texts PostgreSQL cannot hold: a NUL, or half of a surrogate pair. */
const unstorable = /[\0\u{d800}-\u{dfff}]/u

/**
 * Refuses, with its place, what is well-formed JSON but must not go further: too deep, or texts no database can hold.
 * The depth limit bounds the recursion too. `loc` is one array for the whole walk: millions of values cost no memory.
 */
function checkJson(value: unknown, loc: (string | number)[], depth = 0): void {
  if (typeof value === 'string' && unstorable.test(value)) throw fault(loc, 'has a character that cannot be stored')
  if (typeof value !== 'object' || value === null) return
  if (depth > deepest) throw fault(loc.slice(0, 4), `is nested deeper than ${deepest} levels`)
  const check = (key: string | number, child: unknown) => {
    loc.push(key)
    checkJson(child, loc, depth + 1)
    loc.pop()
  }
  if (Array.isArray(value)) {
    for (const [index, child] of value.entries()) check(index, child)
    return
  }
  for (const [key, child] of Object.entries(value)) {
    if (unstorable.test(key)) throw fault(loc, 'has a key with a character that cannot be stored')
    check(key, child)
  }
}

/** UTF-8, strictly; what is not throws a TypeError. A byte order mark is no part of the text. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Bytes to a JSON value. Throws 422, with its place below `root`, for bytes that are not UTF-8, broken JSON, keys that
 * would poison a prototype, and what `checkJson` refuses.
 */
export function parseJson(bytes: Uint8Array, root: string[]): unknown {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw fault(root, 'is not UTF-8')
  }
  let value: unknown
  try {
    value = parse(text, { protoAction: 'error', constructorAction: 'error' })
  } catch {
    throw fault(root, 'is not valid JSON', 'json_invalid')
  }
  checkJson(value, [...root])
  return value
}

/** Refuses a charset other than UTF-8, the only one JSON has (RFC 8259, section 8.1). */
function checkCharset(contentType = ''): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1]
  if (charset && !/^utf-?8$/i.test(charset)) throw fault(['header', 'content-type'], 'charset must be utf-8')
}

/** JSON bodies, read strictly; the bytes as they came stay at hand in `request.rawBody`. */
export function installJsonBody(host: FastifyInstance): void {
  // JSON is all we read; apps that take multipart say so in their own scope.
  host.removeAllContentTypeParsers()
  host.decorateRequest('rawBody', null)
  host.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) => {
      // Some clients name a type for every request, also for one without a body.
      if (request.method === 'DELETE' && bytes.length === 0) return undefined
      checkCharset(request.headers['content-type'])
      request.rawBody = bytes
      return parseJson(bytes, ['body'])
    },
  )
}
