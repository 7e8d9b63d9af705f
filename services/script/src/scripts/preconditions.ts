import type { IncomingHttpHeaders } from 'node:http'
import { tagsIn } from '@playtherapy/service-kit'
import type { FastifyReply } from 'fastify'

/**
 * The entity tag of a version (RFC 9110, 8.8.3). That of an export is weak, because each response may have other bytes
 * with the same content (a workbook contains the time of its creation).
 */
export const etagOf = (version: number, format = 'json') =>
  format === 'json' ? `"${version}"` : `W/"${version}-${format}"`

/**
 * May a save with these headers replace version `current` (0 = none)? If-Match names it by a strong tag, or is `*` for
 * any. If-None-Match `*` demands that there is none yet (RFC 9110, 13.1).
 */
export const mayFollow =
  (headers: IncomingHttpHeaders) =>
  (current: number): boolean => {
    const match = headers['if-match']?.trim()
    if (match !== undefined && (current === 0 || (match !== '*' && !tagsIn(match).includes(etagOf(current)))))
      return false
    return headers['if-none-match']?.trim() !== '*' || current === 0
  }

/** Sets the headers that name a version. */
export const naming = (reply: FastifyReply, version: number): FastifyReply =>
  reply.headers({ etag: etagOf(version), 'script-version': version })
