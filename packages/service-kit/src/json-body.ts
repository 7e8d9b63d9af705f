import { isUtf8, transcode } from 'node:buffer'
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
/** Most values in a JSON body: what 20 MiB can hold of them would take seconds, and a gigabyte, to build. */
const mostValues = 1_000_000

const [quote, backslash, comma, openBracket, closeBracket, openBrace, closeBrace] = Buffer.from('"\\,[]{}')

/**
 * Refuses a body that is too deep, or too costly to build, before it is built. Counts brackets and commas outside of
 * texts; whether it is JSON at all is for the parser to say.
 */
function checkCost(bytes: Uint8Array, root: string[]): void {
  let depth = 0
  let values = 1
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === quote) {
      for (at++; at < bytes.length && bytes[at] !== quote; at++) if (bytes[at] === backslash) at++
    } else if (byte === comma) {
      values++
    } else if (byte === openBracket || byte === openBrace) {
      values++
      if (++depth > deepest) throw fault(root, `is nested deeper than ${deepest} levels`)
    } else if (byte === closeBracket || byte === closeBrace) {
      depth--
    }
    if (values > mostValues) throw fault(root, `has more than ${mostValues} values`)
  }
}

/** Texts PostgreSQL cannot hold: a NUL, or half of a surrogate pair. */
const unstorable = /[\0\u{d800}-\u{dfff}]/u
/** How JSON must spell them: raw, they are no UTF-8 or no JSON. */
const escapedUnstorable = /\\u(0000|d[89a-f])/i

/** Refuses texts no database can hold, with their place. `loc` is one array for the whole walk. */
function checkTexts(value: unknown, loc: (string | number)[]): void {
  if (typeof value === 'string' && unstorable.test(value)) throw fault(loc, 'has a character that cannot be stored')
  if (typeof value !== 'object' || value === null) return
  const check = (key: string | number, child: unknown) => {
    loc.push(key)
    checkTexts(child, loc)
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

/**
 * Bytes to a JSON value. Throws 422, with its place below `root`, for bytes that are not UTF-8, broken JSON, keys that
 * would poison a prototype, texts no database can hold, and what is too deep or has too many values.
 */
export function parseJson(bytes: Uint8Array, root: string[]): unknown {
  checkCost(bytes, root)
  if (!isUtf8(bytes)) throw fault(root, 'is not UTF-8')
  // Half as long as TextDecoder takes for Korean. A byte order mark is left to the parser, who passes over it.
  const text = transcode(bytes, 'utf8', 'ucs2').toString('ucs2')
  let value: unknown
  try {
    value = parse(text, { protoAction: 'error', constructorAction: 'error' })
  } catch {
    throw fault(root, 'is not valid JSON', 'json_invalid')
  }
  if (escapedUnstorable.test(text)) checkTexts(value, [...root])
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
      if (bytes.length === 0 && !request.routeOptions.schema?.body) return undefined
      checkCharset(request.headers['content-type'])
      request.rawBody = bytes
      return parseJson(bytes, ['body'])
    },
  )
}
