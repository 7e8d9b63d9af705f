import type { OperationsGetResponse } from '@playtherapy/client'
import { useCallback, useEffect, useState } from 'preact/hooks'
import { token } from '../account.ts'
import { api } from '../api.ts'

export type Operations = OperationsGetResponse

/** The pause between two requests while the page is visible. */
const everyMs = 5_000

/**
 * Reads the operations every five seconds while the page is visible. `after` names a page of given-up jobs. The last result stays beside
 * the failure of a later attempt.
 */
export function useOperations(after: string | undefined) {
  const [seen, setSeen] = useState<{ data?: Operations; failure?: unknown }>({})
  const [attempt, setAttempt] = useState(0)
  const reload = useCallback(() => setAttempt((last) => last + 1), [])
  useEffect(() => {
    const ended = new AbortController()
    const { signal } = ended
    let timer: ReturnType<typeof setTimeout> | undefined
    let isReading = false
    const read = async () => {
      clearTimeout(timer)
      if (isReading || document.hidden || signal.aborted) return
      isReading = true
      try {
        const data = await api.operations.get(after === undefined ? {} : { after }, { signal })
        if (!signal.aborted) setSeen({ data })
      } catch (failure) {
        if (signal.aborted) return
        setSeen(({ data }) => ({ ...(data && { data }), failure }))
      } finally {
        isReading = false
        timer = setTimeout(read, everyMs)
        if (signal.aborted) clearTimeout(timer)
      }
    }
    read()
    document.addEventListener('visibilitychange', read, { signal })
    addEventListener('online', read, { signal })
    return () => {
      ended.abort()
      clearTimeout(timer)
    }
  }, [after, attempt, token.value])
  return { ...seen, reload }
}
