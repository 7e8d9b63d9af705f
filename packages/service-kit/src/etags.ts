import type { IncomingHttpHeaders } from 'node:http'
import { errors } from './errors.ts'

/** What a read returns. `modified` is sent as Last-Modified, in whole seconds. */
interface Representation {
  etag: string
  modified?: Date
}

/** The entity tags of a header that lists some (RFC 9110, section 8.8.3). */
export const tagsIn = (header: string): string[] => header.match(/(?:W\/)?"[^"]*"/g) ?? []

/** An entity tag without its mark of weakness. */
const opaque = (tag: string) => tag.replace(/^W\//, '')

const secondOf = (date: Date) => Math.floor(date.getTime() / 1000) * 1000

/**
 * Evaluates the conditions of a read in the order of RFC 9110, section 13.2.2: returns whether the client has this
 * representation already and gets 304. Tags are compared strongly for If-Match and weakly for If-None-Match. Throws
 * `errors.preconditionFailed` (412) if If-Match names other tags, or if it changed after If-Unmodified-Since.
 */
export function isKnown(headers: IncomingHttpHeaders, { etag, modified }: Representation): boolean {
  const wanted = headers['if-match']?.trim()
  const unmodified = Date.parse(headers['if-unmodified-since'] ?? '')
  if (wanted !== undefined) {
    const isNamed = wanted === '*' || (!etag.startsWith('W/') && tagsIn(wanted).includes(etag))
    if (!isNamed) throw errors.preconditionFailed()
  } else if (modified && secondOf(modified) > unmodified) throw errors.preconditionFailed()

  const known = headers['if-none-match']?.trim()
  if (known !== undefined) return known === '*' || tagsIn(known).some((tag) => opaque(tag) === opaque(etag))
  return modified !== undefined && Date.parse(headers['if-modified-since'] ?? '') >= secondOf(modified)
}
