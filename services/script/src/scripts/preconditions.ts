import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply } from 'fastify'

/**
 * The entity tag of a version (RFC 9110, 8.8.3), and of what it is exported to: a weak one there, since the file is made
 * anew for each reader and says the same in other bytes (a workbook bears the time it was packed).
 */
export const etagOf = (version: number, format = 'json') =>
  format === 'json' ? `"${version}"` : `W/"${version}-${format}"`

const opaque = (tag: string) => tag.replace(/^W\//, '')
const tags = (header: string): string[] => header.match(/(?:W\/)?"[^"]*"/g) ?? []

/**
 * Whether a save with these headers may follow the version that counts now, 0 for none: If-Match names it, with a strong
 * tag, or `*` for any; If-None-Match `*` wants that there is none yet (RFC 9110, 13.1). Without them any save may.
 */
export const mayFollow =
  (headers: IncomingHttpHeaders) =>
  (current: number): boolean => {
    const match = headers['if-match']?.trim()
    if (match !== undefined && (current === 0 || (match !== '*' && !tags(match).includes(etagOf(current)))))
      return false
    return headers['if-none-match']?.trim() !== '*' || current === 0
  }

/** Whether the reader has this very representation already: If-None-Match, compared weakly. */
export function isKnown(headers: IncomingHttpHeaders, etag: string): boolean {
  const known = headers['if-none-match']?.trim()
  if (known === undefined) return false
  return known === '*' || tags(known).some((tag) => opaque(tag) === opaque(etag))
}

/** Names the version that an answer is about, and its ETag. */
export const naming = (reply: FastifyReply, version: number): FastifyReply =>
  reply.headers({ etag: etagOf(version), 'script-version': version })
