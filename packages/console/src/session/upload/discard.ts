import { ApiFailure } from '@playtherapy/client'
import { userId } from '../../account.ts'
import { apiOf } from '../../api.ts'
import { forgetUpload } from './known-upload.ts'

/** Pauses between attempts. Whatever is left after the last one ends on the server after a day. */
const pausesSeconds = [1, 2, 4, 8, 15, 30, 60, 120]

/** Refusals that another attempt may overcome: a request still writes the upload, or the service is full or failing. */
const mayPass = (error: unknown) =>
  !(error instanceof ApiFailure) || [401, 408, 409, 423, 429].includes(error.status) || error.status >= 500

/**
 * Removes an unfinished upload from this browser at once, and from the server as soon as it lets that happen: until then, it counts
 * against the most that a therapist may have.
 */
export async function discardUpload(
  { caseId, sessionId }: { caseId: number; sessionId: number },
  url: string,
): Promise<void> {
  forgetUpload(sessionId)
  const api = apiOf(userId.peek())
  const upload_id = new URL(url, location.href).pathname.split('/').at(-1) ?? ''
  for (const pause of pausesSeconds) {
    try {
      const ids = { case_id: caseId, session_id: sessionId, upload_id }
      return await api.uploads.delete({ ...ids, 'tus-resumable': '1.0.0' })
    } catch (error) {
      if (!mayPass(error)) return
      const seconds = error instanceof ApiFailure ? (error.retryAfter ?? pause) : pause
      await new Promise((resolve) => setTimeout(resolve, Math.max(seconds, pause) * 1_000))
    }
  }
}
