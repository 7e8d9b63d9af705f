import type { IncomingHttpHeaders } from 'node:http'

/** The entity tags of a header that lists some (RFC 9110, section 8.8.3). */
export const tagsIn = (header: string): string[] => header.match(/(?:W\/)?"[^"]*"/g) ?? []

/** An entity tag without its mark of weakness. */
const opaque = (tag: string) => tag.replace(/^W\//, '')

/**
 * Whether the reader has the representation of this tag already, by If-None-Match, compared weakly (RFC 9110, section
 * 13.1.2). Undefined when the request has no such header.
 */
export function isKnown(headers: IncomingHttpHeaders, etag: string): boolean | undefined {
  const known = headers['if-none-match']?.trim()
  if (known === undefined) return undefined
  return known === '*' || tagsIn(known).some((tag) => opaque(tag) === opaque(etag))
}
