import { ApiFailure, NetworkFailure } from '@playtherapy/client'
import { texts } from '../texts/parts.ts'

/** Seconds to wait if the server names none. */
const waitSeconds = 5

/** Explains a failure in plain words, with what to do. */
export function explain(failure: unknown): string {
  if (failure instanceof NetworkFailure) return texts.notReached
  if (!(failure instanceof ApiFailure)) return texts.unknown
  const { status, error_code: code, retryAfter = waitSeconds, detail, requestId = '' } = failure
  const type = detail[0]?.type
  if (type === 'not_a_video') return texts.notAVideo
  if (status === 401) return texts.signInAgain
  if (status === 429) return texts.tooMany(retryAfter)
  if (status === 503 || type === 'store_unavailable') return texts.unavailable(retryAfter)
  if (status === 410) return texts.gone
  if (code === 2) return texts.noCase
  if (code === 3) return texts.noSession
  if (code === 4) return texts.range
  if (code === 5) return texts.noVideo
  if (code === 6) return texts.noScript
  if (code === 7) return texts.noReport
  if (code === 8)
    return texts.invalid(detail.map(({ loc, msg }) => `${loc.slice(1).join('.')} ${msg}`.trim()).join('; '))
  if (code === 9) return texts.tooLarge
  if (code === 11) return texts.overtaken
  if (code === 1000) return texts.uploadFailed
  if (code === 1001) return texts.downloadFailed
  return status >= 500 ? texts.ours(requestId) : texts.unknown
}
