import { isAscii, isUtf8, transcode } from 'node:buffer'
import { randomInt } from 'node:crypto'
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

/** What a document may cost its reader. */
export interface JsonBounds {
  /** Most values: texts, numbers, objects and so on. */
  values: number
  /** Most different sequences of keys, each part of one counted: V8 makes a hidden class for each, which takes 2 µs. */
  keySequences: number
}

/** Of a body, which is parsed on the event loop: what takes longest within these takes 40 ms on a core of 2.5 GHz. */
const bodyBounds: JsonBounds = { values: 100_000, keySequences: 5_000 }
/** Bytes from which a text is decoded without a second copy of it: that takes twice as long, and half the memory. */
const largeBytes = 4 * 1024 ** 2

const [quote, backslash, comma, colon, openBracket, closeBracket, openBrace, closeBrace] = Buffer.from('"\\,:[]{}')
/** Unknown outside, so that nobody makes keys of equal hashes; odd, so that no bit is lost. */
const multiplier = randomInt(2 ** 32) | 1

function hash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0
  for (let at = start; at < end; at++) hash = Math.imul(hash + (bytes[at] ?? 0) + 1, multiplier)
  return hash
}

/**
 * Refuses a body that is too deep, or too costly to build, before it is built. Counts brackets, commas and keys outside
 * of texts; whether it is JSON at all is for the parser to say.
 */
function checkCost(bytes: Uint8Array, root: string[], most: JsonBounds): void {
  let depth = 0
  let values = 1
  let mayBeKey = false
  let key = 0
  // Hashes: of the keys so far in the objects around this place, and of all sequences met.
  const keys: number[] = []
  const sequences = new Set<number>()
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === quote) {
      const start = at + 1
      for (at++; at < bytes.length && bytes[at] !== quote; at++) if (bytes[at] === backslash) at++
      if (mayBeKey) key = hash(bytes, start, at)
    } else if (byte === colon) {
      mayBeKey = false
      const sequence = Math.imul((keys[depth] ?? 0) + key + depth, multiplier)
      keys[depth] = sequence
      if (sequences.add(sequence).size > most.keySequences)
        throw fault(root, `has more than ${most.keySequences} different sequences of keys`)
    } else if (byte === comma) {
      values++
      mayBeKey = true
    } else if (byte === openBracket || byte === openBrace) {
      values++
      if (++depth > deepest) throw fault(root, `is nested deeper than ${deepest} levels`)
      keys[depth] = 0
      mayBeKey = byte === openBrace
    } else if (byte === closeBracket || byte === closeBrace) {
      depth--
    }
    if (values > most.values) throw fault(root, `has more than ${most.values} values`)
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

/** The text of UTF-8. A byte order mark is left to the parser, who passes over it. */
function decode(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (isAscii(buffer)) return buffer.toString('latin1')
  if (buffer.length > largeBytes) return buffer.toString()
  // Half as long as other ways take for Korean.
  return transcode(buffer, 'utf8', 'ucs2').toString('ucs2')
}

/**
 * Bytes to a JSON value. Throws 422, with its place below `root`, for bytes that are not UTF-8, broken JSON, keys that
 * would poison a prototype, texts no database can hold, and what is too deep or costs more than `most`.
 */
export function parseJson(bytes: Uint8Array, root: string[], most = bodyBounds): unknown {
  checkCost(bytes, root, most)
  if (!isUtf8(bytes)) throw fault(root, 'is not UTF-8')
  const text = decode(bytes)
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
