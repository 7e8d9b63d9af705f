import { effect } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { token, userId } from '../account.ts'
import { unfinished } from '../unfinished.ts'
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

const unsavedIn = ({ script, drafts }: Opened): number =>
  script.pending.value.length + script.conflicts.value.length + Number(drafts.isTouched())

/** The open scripts of one therapist. */
const openedBy = (therapist: number | undefined) => [...opened].filter(([name]) => name.startsWith(`${therapist}/`))

unfinished.countChanges.value = () => openedBy(userId.value).reduce((sum, [, script]) => sum + unsavedIn(script), 0)

// The browser then asks for a confirmation before it closes the tab, also for what a therapist before has typed.
addEventListener('beforeunload', (event) => {
  if ([...opened.values()].some((script) => unsavedIn(script) > 0)) event.preventDefault()
})

let lastTherapist: number | undefined
// A sign-out, which has asked for that, forgets what this therapist has typed. Changes of a therapist whose token has expired, and in
// whose place another one has signed in, wait for who made them.
effect(() => {
  if (token.value !== null) {
    lastTherapist = userId.value
    return
  }
  for (const [name, { sync }] of openedBy(lastTherapist)) {
    sync.end()
    opened.delete(name)
  }
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
  if (!found?.isLeft || unsavedIn(found) > 0) return
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
