import { hash } from 'node:crypto'
import type { ObjectStore, Phase } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { saveVersion, scriptSteps } from '@playtherapy/versions'
import { sessionToStart } from './repository.ts'

const bytes = Buffer.from('{"scripts":[]}')
const checksum = hash('sha256', bytes)

export interface StarterResources {
  db: Database
  store: ObjectStore
  phase: Phase
  /** Whether a transcriber is configured; it then writes the scripts of recordings with sound. */
  transcribes: boolean
}

/**
 * Returns what makes an empty first version after an encode, for clients that show a recording only beside its script. It
 * does nothing where there is a script, where a transcriber is going to write one, or where a newer recording is current.
 * It may be repeated.
 */
export function createStartScript({ db, store, phase, transcribes }: StarterResources) {
  return async ({ video_id }: { video_id: number }): Promise<void> => {
    const session = await sessionToStart(db, video_id, transcribes)
    if (!session) return
    const mayFollow = (current: number) => current === 0
    const madeBy = 'starter' as const
    const script = { size: bytes.length, checksum, warnings: [], madeBy, mayFollow }
    await saveVersion({ db, store }, bytes, scriptSteps(db, phase, session, script))
  }
}
