import { effect } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { token, userId } from '../account.ts'
import { createDrafts, type Drafts } from './draft.ts'
import { createOpenScript, type OpenScript } from './open-script.ts'
import { type Sync, syncScript } from './sync.ts'

/** An open script, the record that is being edited, and the synchronisation with the service. */
export interface Opened {
  script: OpenScript
  drafts: Drafts
  sync: Sync
}

/**
 * The open scripts, by therapist and session. A script whose view was closed stays until all its changes are saved, so that nothing is
 * lost by opening another view, by an expired token, or while the service cannot be reached.
 */
const opened = new Map<string, Opened & { isLeft: boolean }>()

const hasUnsaved = ({ script, drafts }: Opened) =>
  script.pending.value.length > 0 || script.conflicts.value.length > 0 || drafts.isTouched()

/** How many changes of scripts are not saved yet, or wait for a decision. */
export const countUnsaved = (): number =>
  [...opened.values()]
    .map(
      ({ script, drafts }) => script.pending.value.length + script.conflicts.value.length + Number(drafts.isTouched()),
    )
    .reduce((sum, count) => sum + count, 0)

// The browser then asks for a confirmation before it closes the tab.
addEventListener('beforeunload', (event) => {
  if (countUnsaved() > 0) event.preventDefault()
})

// After a sign-out, which has asked for that, the next person at this device finds nothing of what was typed.
effect(() => {
  if (token.value !== null) return
  for (const { sync } of opened.values()) sync.end()
  opened.clear()
})

function openScript(name: string, session: { case_id: number; session_id: number }) {
  const found = opened.get(name)
  if (found) return found
  const script = createOpenScript()
  const made = { script, drafts: createDrafts(script), sync: syncScript(script, session), isLeft: false }
  opened.set(name, made)
  const stop = effect(() => {
    if (script.pending.value.length + script.conflicts.value.length === 0) queueMicrotask(() => close(name))
  })
  const { end } = made.sync
  made.sync.end = () => {
    stop()
    end()
  }
  return made
}

function close(name: string) {
  const found = opened.get(name)
  if (!found?.isLeft || hasUnsaved(found)) return
  opened.delete(name)
  found.sync.end()
}

/** Returns the script of a session for as long as a view shows it. */
export function useScript(caseId: number, sessionId: number): Opened {
  const name = `${userId.peek()}/${sessionId}`
  const found = useMemo(() => openScript(name, { case_id: caseId, session_id: sessionId }), [name])
  useEffect(() => {
    found.isLeft = false
    return () => {
      found.drafts.save()
      found.isLeft = true
      close(name)
    }
  }, [found])
  return found
}
