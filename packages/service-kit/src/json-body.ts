import { isAscii, isUtf8, transcode } from 'node:buffer'
import { randomInt } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parse } from 'secure-json-parse'
import { fault } from './errors.ts'
import { closeBrace, closeBracket, colon, comma, openBrace, openBracket, quote, textEnd } from './json-signs.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The bytes of a JSON body as they were sent; null until it is read. */
    rawBody: Buffer | null
  }
}

/** How deep a JSON body may be nested; the documents of the contract need six levels. */
const deepest = 32

/** How much work a document may cause. */
export interface JsonBounds {
  /** How many values it may have: texts, numbers, objects and so on. */
  values: number
  /**
   * How many different sequences of keys it may have. Every beginning of a sequence counts, because V8 makes a hidden
   * class for each, which takes 2 µs.
   */
  keySequences: number
}

/** For bodies, which are parsed on the event loop. The slowest body within these bounds takes 40 ms on a core of 2.5 GHz. */
const bodyBounds: JsonBounds = { values: 100_000, keySequences: 5_000 }
/** From this size on a text is decoded without a second copy of it, which takes twice the time and half the memory. */
const largeBytes = 4 * 1024 ** 2

/** Random, so that an attacker cannot choose keys with equal hashes; odd, so that no bit is lost. */
const multiplier = randomInt(2 ** 32) | 1

function hash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0
  for (let at = start; at < end; at++) hash = Math.imul(hash + (bytes[at] ?? 0) + 1, multiplier)
  return hash
}

/**
 * Refuses a body that is nested too deep, or whose values would cost too much, before it is parsed. It counts brackets,
 * commas and keys outside of texts. Whether the body is JSON at all is decided by the parser.
 */
function checkCost(bytes: Uint8Array, root: string[], most: JsonBounds): void {
  let depth = 0
  let values = 1
  let mayBeKey = false
  let key = 0
  // Two kinds of hashes: of the keys so far in the objects around this place, and of all sequences found.
  const keys: number[] = []
  const sequences = new Set<number>()
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === quote) {
      const start = at + 1
      at = textEnd(bytes, at)
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

/** Characters that PostgreSQL cannot store: NUL, and one half of a surrogate pair. */
const unstorable = /[\0\u{d800}-\u{dfff}]/u
/** The same as JSON has to write them: unescaped they are not valid UTF-8 or not valid JSON. */
const escapedUnstorable = /\\u(0000|d[89a-f])/i

/** Refuses texts that cannot be stored, and names their place. `loc` is one array that all calls share. */
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

/** Decodes UTF-8. A byte order mark stays, because the parser skips it. */
function decode(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (isAscii(buffer)) return buffer.toString('latin1')
  if (buffer.length > largeBytes) return buffer.toString()
  // For Korean text this takes half the time of other ways.
  return transcode(buffer, 'utf8', 'ucs2').toString('ucs2')
}

/**
 * Parses bytes as JSON. Throws `errors.invalidInput` (422), with the place below `root`, for bytes that are not UTF-8, for
 * broken JSON, for keys that would change a prototype, for texts that cannot be stored, and for what is nested too deep
 * or exceeds `most`.
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

/** Parses a JSON body strictly, for a content type parser. The bytes as they were sent are kept in `request.rawBody`. */
export async function parseBody(request: FastifyRequest, bytes: Buffer): Promise<unknown> {
  // Some clients send a content type with every request, even without a body.
  if (bytes.length === 0 && !request.routeOptions.schema?.body) return undefined
  checkCharset(request.headers['content-type'])
  request.rawBody = bytes
  return parseJson(bytes, ['body'])
}

export function installJsonBody(host: FastifyInstance): void {
  // Only JSON is parsed here; apps that accept multipart add its parser in their own scope.
  host.removeAllContentTypeParsers()
  host.decorateRequest('rawBody', null)
  host.addContentTypeParser('application/json', { parseAs: 'buffer' }, parseBody)
}
