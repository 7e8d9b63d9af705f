import type { IncomingHttpHeaders } from 'node:http'
import { isKnown } from '@playtherapy/service-kit'
import parseRange from 'range-parser'

export interface Representation {
  size: number
  etag: string
  /** Sent in whole seconds, as Last-Modified; a file that grows has none. */
  createdAt?: Date
}

/** What to send; `start` and `end` are the first and the last byte. */
export type Outcome = { status: 200 | 206; start: number; end: number } | { status: 304 } | { status: 416 }

const seconds = (date: Date) => Math.floor(date.getTime() / 1000)

/** Returns whether Range is to be used: with If-Range only for the representation that it names (section 13.1.5). */
function rangeApplies(condition: string | undefined, { etag, createdAt }: Representation): boolean {
  if (condition === undefined) return true
  if (/^(W\/)?"/.test(condition)) return condition === etag
  return createdAt !== undefined && Date.parse(condition) === seconds(createdAt) * 1000
}

/**
 * Returns what a GET with these headers receives: 200, 206, 304 or 416; throws `errors.preconditionFailed` (412). Several
 * ranges at once, which no player asks for, and units other than bytes get the whole representation, as the standard
 * allows.
 */
export function evaluateConditions(headers: IncomingHttpHeaders, representation: Representation): Outcome {
  const { size, etag, createdAt } = representation
  const whole: Outcome = { status: 200, start: 0, end: size - 1 }
  if (isKnown(headers, { etag, ...(createdAt && { modified: createdAt }) })) return { status: 304 }
  const ifRange = headers['if-range']
  if (!headers.range || !rangeApplies(Array.isArray(ifRange) ? ifRange[0] : ifRange, representation)) return whole
  if (!/^bytes=[^,]*$/i.test(headers.range)) return whole
  const ranges = parseRange(size, headers.range)
  if (ranges === -1) {
    // The library refuses "the last n bytes" of a shorter recording; they are all of its bytes (section 14.1.2).
    const longerThanAll = /=\s*-0*[1-9]/.test(headers.range)
    return longerThanAll ? { ...whole, status: 206 } : { status: 416 }
  }
  // A malformed range is ignored (section 14.2).
  const range = ranges === -2 ? undefined : ranges[0]
  return range ? { status: 206, start: range.start, end: range.end } : whole
}
