import { useCallback, useEffect, useState } from 'preact/hooks'
import { noteRefusal, token } from '../account.ts'
import { followed, resets } from '../live.ts'

interface Loaded<T> {
  data?: T
  failure?: unknown
  isLoading: boolean
}

/**
 * Loads what a view shows, and loads it anew when `deps` change, after `reload()`, where events were missed, and when
 * somebody has signed in again. What was
 * loaded last stays until then, beside the failure of a later attempt. The signal is aborted when nobody waits any more.
 */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, deps: readonly unknown[]) {
  const [loaded, setLoaded] = useState<Loaded<T>>({ isLoading: true })
  const [attempt, setAttempt] = useState(0)
  const reload = useCallback(() => setAttempt((last) => last + 1), [])
  const reset = resets.value
  useEffect(() => {
    const ended = new AbortController()
    const { signal } = ended
    setLoaded(({ data }) => ({ ...(data !== undefined && { data }), isLoading: true }))
    // What changes after the stream has opened is told by it: so nothing is missed between the two.
    followed()
      .then(() => load(signal))
      .then(
        (data) => signal.aborted || setLoaded({ data, isLoading: false }),
        (failure: unknown) => {
          if (signal.aborted) return
          noteRefusal(failure)
          setLoaded(({ data }) => ({ ...(data !== undefined && { data }), failure, isLoading: false }))
        },
      )
    return () => ended.abort()
  }, [...deps, attempt, reset, token.value])
  return { ...loaded, reload }
}
