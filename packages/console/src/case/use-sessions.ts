import type { Session, SessionNews } from '@playtherapy/client'
import { useEffect, useState } from 'preact/hooks'
import { api } from '../api.ts'
import { onNews } from '../live.ts'
import { useLoad } from '../parts/use-load.ts'

type Told = Pick<SessionNews, 'session' | 'video'>

/** Returns the sessions of a case, newest first. Events update the list after it was loaded. */
export function useSessions(caseId: number) {
  const { data, ...rest } = useLoad((signal) => api.sessions.list({ case_id: caseId }, { signal }), [caseId])
  const [told, setTold] = useState<ReadonlyMap<number, Told>>(new Map())
  const tell = (id: number, news: Told) => setTold((before) => new Map(before).set(id, news))
  useEffect(
    () =>
      onNews(({ case_id, session_id, session, video }) => {
        if (case_id === caseId) tell(session_id, { session, video })
      }),
    [caseId],
  )
  const now = new Map<number, Told>(data?.map((session) => [session.id, { session, video: null }]))
  for (const [id, news] of told) now.set(id, news)
  const sessions = [...now.values()]
    .flatMap(({ session, video }) => (session ? [{ session, video }] : []))
    .sort((a, b) => b.session.id - a.session.id)
  return {
    ...rest,
    sessions: data && sessions,
    /** Shows the session of a response before its event arrives. */
    show: (session: Session) => tell(session.id, { session, video: told.get(session.id)?.video ?? null }),
    hide: (id: number) => tell(id, { session: null, video: null }),
  }
}
