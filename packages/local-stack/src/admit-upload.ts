import type { IncomingMessage } from 'node:http'
import { boundRate, createShares, leastBytesPerSecond } from '@playtherapy/service-kit'

/** How many presigned uploads into the folder may run at once; a quarter of them may be for one session. */
const mostUploads = 64

/**
 * Limits the presigned uploads into the folder store: how many run at once, and how slow one may be over `windowMs`.
 * Returns a function that `fileRoutes` calls before it reads a body; it throws `errors.tooManyRequests` (429) or
 * `errors.unavailable` (503).
 */
export function admitUploads(windowMs = 60_000) {
  const uploads = createShares(mostUploads)
  const rate = { windowMs, leastBytes: (leastBytesPerSecond * windowMs) / 1_000 }
  return (request: IncomingMessage, sessionId: number) => {
    const release = uploads.take(sessionId)
    boundRate(request, rate, () => request.destroy())
    return release
  }
}
