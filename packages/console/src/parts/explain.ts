import { texts } from '../texts/parts.ts'

/** What a refusal of the API tells, as far as it is shown. */
interface Refusal {
  status: number
  error_code?: number
  /** Seconds. */
  retryAfter?: number
  detail?: { loc: (string | number)[]; msg: string; type?: string }[]
  request_id?: string
}

const isRefusal = (failure: unknown): failure is Refusal =>
  typeof failure === 'object' && failure !== null && 'status' in failure && typeof failure.status === 'number'

/** Seconds to wait where the server does not say. */
const waitSeconds = 5

/** Says in plain words what has failed and what to do. */
export function explain(failure: unknown): string {
  if (!isRefusal(failure)) return isUnreached(failure) ? texts.notReached : texts.unknown
  const { status, error_code: code, retryAfter = waitSeconds, detail = [], request_id: id = '' } = failure
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
  return status >= 500 ? texts.ours(id) : texts.unknown
}

/** No answer came at all. */
const isUnreached = (failure: unknown) =>
  failure instanceof TypeError || (failure instanceof Error && failure.name === 'NetworkFailure')
