import type { IncomingHttpHeaders } from 'node:http'
import { tagsIn } from '@playtherapy/service-kit'
import type { FastifyReply } from 'fastify'

/**
 * The entity tag of a version (RFC 9110, 8.8.3), and of what it is exported to: a weak one there, since the file is made
 * anew for each reader and says the same in other bytes (a workbook bears the time it was packed).
 */
export const etagOf = (version: number, format = 'json') =>
  format === 'json' ? `"${version}"` : `W/"${version}-${format}"`

/**
 * May a save with these headers replace version `current` (0 = none)? If-Match names it with a strong tag, or `*` for any;
 * If-None-Match `*` demands that there is none yet (RFC 9110, 13.1). Without them any save may.
 */
export const mayFollow =
  (headers: IncomingHttpHeaders) =>
  (current: number): boolean => {
    const match = headers['if-match']?.trim()
    if (match !== undefined && (current === 0 || (match !== '*' && !tagsIn(match).includes(etagOf(current)))))
      return false
    return headers['if-none-match']?.trim() !== '*' || current === 0
  }

/** Names the version that an answer is about, and its ETag. */
export const naming = (reply: FastifyReply, version: number): FastifyReply =>
  reply.headers({ etag: etagOf(version), 'script-version': version })
