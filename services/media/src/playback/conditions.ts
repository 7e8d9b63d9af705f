import type { IncomingHttpHeaders } from 'node:http'
import { isKnown } from '@playtherapy/service-kit'
import parseRange from 'range-parser'

export interface Representation {
  size: number
  etag: string
  /** When it was made; whole seconds on the wire. */
  createdAt: Date
}

/** `start` and `end` are the first and the last byte to send. */
export type Answer = { status: 200 | 206; start: number; end: number } | { status: 304 } | { status: 416 }

const seconds = (date: Date) => Math.floor(date.getTime() / 1000)

/** Whether the copy a client has is still this one (RFC 9110, section 13.1). */
function unchanged(headers: IncomingHttpHeaders, { etag, createdAt }: Representation): boolean {
  const known = isKnown(headers, etag)
  if (known !== undefined) return known
  const since = Date.parse(headers['if-modified-since'] ?? '')
  return since >= seconds(createdAt) * 1000
}

/** Whether a range may be answered: with If-Range only for the very representation it names (section 13.1.5). */
function rangeApplies(condition: string | undefined, { etag, createdAt }: Representation): boolean {
  if (condition === undefined) return true
  if (/^(W\/)?"/.test(condition)) return condition === etag
  return Date.parse(condition) === seconds(createdAt) * 1000
}

/**
 * What a GET of these headers gets: everything, one range, "you have it", or no such range. Several ranges at once,
 * which no player asks for, and units other than bytes are answered with everything, as the standard allows.
 */
export function answerTo(headers: IncomingHttpHeaders, representation: Representation): Answer {
  const { size } = representation
  const whole: Answer = { status: 200, start: 0, end: size - 1 }
  if (unchanged(headers, representation)) return { status: 304 }
  const ifRange = headers['if-range']
  if (!headers.range || !rangeApplies(Array.isArray(ifRange) ? ifRange[0] : ifRange, representation)) return whole
  if (!/^bytes=[^,]*$/i.test(headers.range)) return whole
  const ranges = parseRange(size, headers.range)
  if (ranges === -1) {
    // The library takes "the last n bytes" of a shorter recording for none; they are all of it (section 14.1.2).
    const longerThanAll = /=\s*-0*[1-9]/.test(headers.range)
    return longerThanAll ? { ...whole, status: 206 } : { status: 416 }
  }
  // A malformed range is ignored (section 14.2).
  const range = ranges === -2 ? undefined : ranges[0]
  return range ? { status: 206, start: range.start, end: range.end } : whole
}
