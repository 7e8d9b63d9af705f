import type { ApiFailure } from '@playtherapy/client'

/** Why an upload has ended without success. */
export type Refusal =
  | ('notAVideo' | 'tooLarge' | 'ended' | 'noSession' | 'unreadable' | 'empty' | 'several')
  | ('otherTab' | 'unknown')
/** Why an upload waits. */
export type Waiting = 'offline' | 'unreachable' | 'busy' | 'tooMany' | 'signedOut' | 'outdated' | 'incomplete'

/** What a response that is no success means for an upload: it ends, or goes on after so many seconds. */
export type Verdict = { refusal: Refusal; most?: number } | { waiting: Waiting; seconds?: number }

/** Judges a refusal by services/contract.md, "Resumable uploads" and "Errors". */
export function judge({ status, error_code: code, message, detail, retryAfter }: ApiFailure): Verdict {
  const busy: Verdict = { waiting: 'busy', ...(retryAfter !== undefined && { seconds: retryAfter }) }
  if (status === 401) return { waiting: 'signedOut' }
  if (status === 404 || status === 410) return { refusal: 'ended' }
  if (status === 413) {
    const most = Number(/limit of (\d+) bytes/.exec(message)?.[1] ?? Number.NaN)
    return { refusal: 'tooLarge', ...(Number.isFinite(most) && { most }) }
  }
  // The contract has one code for both bounds of a therapist, and tells them apart in words.
  if (status === 429) return /unfinished/.test(message) ? { ...busy, waiting: 'tooMany' } : busy
  // Another request writes it, the offset was another one, or a checksum did not fit.
  if (status === 408 || status === 409 || status === 423 || status === 460 || status >= 500) return busy
  if (code === 2 || code === 3) return { refusal: 'noSession' }
  if (code === 1000) {
    const reason = detail[0]?.type
    if (reason === 'store_unavailable') return busy
    return { refusal: reason === 'deleted' ? 'ended' : 'notAVideo' }
  }
  return { refusal: 'unknown' }
}
