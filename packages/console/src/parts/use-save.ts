import { useEffect, useRef, useState } from 'preact/hooks'

/** Runs one attempt to save at a time. The failure of an attempt stays until the next one begins. */
export function useSave(work: () => Promise<void>) {
  const [isSaving, setSaving] = useState(false)
  const [failure, setFailure] = useState<unknown>()
  const isRunning = useRef(false)
  const isGone = useRef(false)
  useEffect(
    () => () => {
      isGone.current = true
    },
    [],
  )
  async function save() {
    // A second Enter may come before the button is drawn as disabled.
    if (isRunning.current) return
    isRunning.current = true
    setSaving(true)
    setFailure(undefined)
    try {
      await work()
    } catch (error) {
      if (!isGone.current) setFailure(error)
    } finally {
      isRunning.current = false
      if (!isGone.current) setSaving(false)
    }
  }
  return { save, isSaving, failure }
}
