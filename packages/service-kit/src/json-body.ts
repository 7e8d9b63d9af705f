import type { FastifyInstance } from 'fastify'
import { fault } from './errors.ts'

/** Deepest nesting of a JSON body; the contract's documents need six. */
const deepest = 32

/** Texts PostgreSQL cannot hold: a NUL, or half of a surrogate pair. */
const unstorable = /[\0\u{d800}-\u{dfff}]/u

/**
 * Refuses, with its place, what is well-formed JSON but must not go further: too deep, or texts no database can hold.
 * Walks without recursion, so that depth cannot exhaust the stack.
 */
export function checkJson(body: unknown, root: string): void {
  const open: { value: unknown; loc: (string | number)[] }[] = [{ value: body, loc: [root] }]
  for (let item = open.pop(); item; item = open.pop()) {
    const { value, loc } = item
    if (typeof value === 'string' && unstorable.test(value)) throw fault(loc, 'has a character that cannot be stored')
    if (typeof value !== 'object' || value === null) continue
    if (loc.length > deepest) throw fault(loc.slice(0, 4), `is nested deeper than ${deepest} levels`)
    for (const [key, child] of Object.entries(value)) {
      if (unstorable.test(key)) throw fault(loc, 'has a key with a character that cannot be stored')
      open.push({ value: child, loc: [...loc, Array.isArray(value) ? Number(key) : key] })
    }
  }
}

/** UTF-8, strictly; what is not throws a TypeError. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Bytes to a JSON value. 422 with its place for bytes that are not UTF-8, broken JSON, and keys that would poison a
 * prototype. `parse` is Fastify's own safe parser.
 */
export function installJsonBody(host: FastifyInstance): void {
  const parse = host.getDefaultJsonParser('error', 'error')
  // JSON is all we read; apps that take multipart say so in their own scope.
  host.removeAllContentTypeParsers()
  host.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, raw, done) => {
    const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(request.headers['content-type'] ?? '')?.[1]
    if (charset && !/^utf-?8$/i.test(charset)) return done(fault(['header', 'content-type'], 'charset must be utf-8'))
    let text: string
    try {
      text = utf8.decode(typeof raw === 'string' ? Buffer.from(raw) : raw)
    } catch {
      return done(fault(['body'], 'is not UTF-8'))
    }
    parse(request, text, (error, value) => {
      if (error) return done(fault(['body'], 'is not valid JSON', 'json_invalid'))
      try {
        checkJson(value, 'body')
      } catch (refusal) {
        return done(refusal instanceof Error ? refusal : null)
      }
      done(null, value)
    })
  })
}
