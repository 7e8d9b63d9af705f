import { useCallback, useEffect, useState } from 'preact/hooks'
import { token } from '../account.ts'
import { followed, resets } from '../live.ts'

interface Loaded<T> {
  data?: T
  failure?: unknown
  isLoading: boolean
}

/**
 * Loads the data of a view. It loads them again when `deps` or the token change, after `reload()`, and when events were missed. The last
 * data stay meanwhile, and also beside the failure of a later attempt. The signal is aborted when the result is no longer needed.
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
    // Changes after the stream has opened arrive as events, so none is missed between loading and following.
    followed()
      .then(() => load(signal))
      .then(
        (data) => signal.aborted || setLoaded({ data, isLoading: false }),
        (failure: unknown) => {
          if (signal.aborted) return
          setLoaded(({ data }) => ({ ...(data !== undefined && { data }), failure, isLoading: false }))
        },
      )
    return () => ended.abort()
  }, [...deps, attempt, reset, token.value])
  return { ...loaded, reload }
}
