import type { VideoState } from '@playtherapy/client'
import { useMemo } from 'preact/hooks'
import { api } from '../api.ts'
import { nameOf } from '../cases/name.ts'
import { newsOf } from '../live.ts'
import { useLoad } from '../parts/use-load.ts'

/** What a session is at the moment. */
export interface SessionNow {
  name: string
  /** Its newest recording; null without one. */
  video: VideoState | null
  scriptVersion: number | undefined
  deleted: boolean
}

const none = (failure: unknown) => {
  if (Object(failure).error_code === 5) return null
  throw failure
}

/** Loads a session and its recording, and follows them by the events of the page. */
export function useSession(caseId: number, sessionId: number) {
  const ids = { case_id: caseId, session_id: sessionId }
  const loaded = useLoad(
    async (signal) => {
      const [named, session] = await Promise.all([
        api.cases.get({ case_id: caseId }, { signal }),
        api.sessions.get(ids, { signal }),
      ])
      // Where there is none, the answer would be a refusal, which browsers write down as an error of the page.
      const hasVideo = session.encoding_state_id !== 5
      const video = hasVideo ? await api.videos.getState(ids, { signal }).catch(none) : null
      return { session, video, caseName: nameOf(named) }
    },
    [caseId, sessionId],
  )
  const news = useMemo(() => newsOf(sessionId), [sessionId]).value
  const { session, video } = news ?? loaded.data ?? {}
  const known = loaded.data?.session
  const now = useMemo((): SessionNow | undefined => {
    if (!session && !news?.deleted) return undefined
    return {
      name: (session ?? known)?.name ?? '',
      video: video ?? null,
      scriptVersion: news?.script?.version,
      deleted: news?.deleted ?? false,
    }
  }, [news, session, video, known])
  return { ...loaded, now, caseName: loaded.data?.caseName }
}
