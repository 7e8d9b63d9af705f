import type { IncomingMessage } from 'node:http'
import { boundRate, createShares } from '@playtherapy/service-kit'

/** Presigned uploads into the folder at once, a quarter of them into one session. */
const mostUploads = 64
/** Bytes a second below which one is broken off, as media does with its own. */
const leastRate = 16_384

/**
 * Bounds the presigned uploads into the folder store: how many there are at once, and how slow one may be over
 * `windowMs`. Returns what `fileRoutes` calls before it reads a body; that throws `errors.tooManyRequests` (429) or
 * `errors.unavailable` (503).
 */
export function admitUploads(windowMs = 60_000) {
  const uploads = createShares(mostUploads)
  const rate = { windowMs, leastBytes: (leastRate * windowMs) / 1_000 }
  return (request: IncomingMessage, sessionId: number) => {
    const release = uploads.take(sessionId)
    boundRate(request, rate, () => request.destroy())
    return release
  }
}
