import { useEffect, useRef, useState } from 'preact/hooks'

/**
 * Runs one attempt to save at a time. The failure of an attempt stays until the next one begins. `done` is called with what was saved,
 * but not after the view was left: it would lead away whoever is somewhere else by then.
 */
export function useSave<Saved>(work: () => Promise<Saved>, done?: (saved: Saved) => void) {
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
      const saved = await work()
      if (!isGone.current) done?.(saved)
    } catch (error) {
      if (!isGone.current) setFailure(error)
    } finally {
      isRunning.current = false
      if (!isGone.current) setSaving(false)
    }
  }
  return { save, isSaving, failure }
}
