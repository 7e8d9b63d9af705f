import type { StoredPart } from '@playtherapy/object-store'
import { type Database, outlastOutage } from '@playtherapy/schema'
import { UploadHeldError } from './errors.ts'
import type { Held, Save } from './lease.ts'
import { find, offsetOf } from './repository.ts'

/** Pause between two renewals, which also write how many bytes have arrived. */
const renewMs = 1_000

/** Saves what a request writes. */
export interface Saving {
  /** Aborted, with UploadHeldError, when the upload was deleted or is another request's. */
  lost: AbortSignal
  /** Saves `held.progress` soon, with this part. */
  add(part: StoredPart): void
  /** Saves `held.progress` now; `isLast` ends the lease. Throws UploadHeldError if it was lost. */
  flush(isLast?: boolean): Promise<void>
  /** Renews the lease no more. */
  stop(): Promise<void>
}

interface Watched {
  /** Bytes that have arrived. */
  received: () => number
  /** Called at each renewal while another request waits for the upload. */
  onWanted: () => void
}

/**
 * Renews the lease of an upload every second, and saves each part as soon as it is durable. One statement runs at a time, and
 * no connection is held between them. What could not be saved is saved by the next statement, so an outage of the database
 * of some seconds does not end an upload.
 */
export function startSaving(db: Database, save: Save, held: Held, { received, onWanted }: Watched): Saving {
  const lost = new AbortController()
  let parts: StoredPart[] = []
  let queue: Promise<unknown> = Promise.resolve()
  let isQueued = false
  let isStopped = false

  async function saveOnce(isLast: boolean): Promise<void> {
    const added = parts
    parts = []
    try {
      const row = await save(held, { parts: added, received: received(), isLast })
      if (!row) lost.abort(new UploadHeldError())
      else if (row.isWanted) onWanted()
    } catch (error) {
      // If it was committed all the same, the repetition changes nothing.
      parts.unshift(...added)
      throw error
    }
  }
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = queue.then(work)
    queue = done.catch(() => {})
    return done
  }
  function saveSoon(): void {
    if (isQueued) return
    isQueued = true
    inTurn(async () => {
      isQueued = false
      if (!isStopped && !lost.signal.aborted) await saveOnce(false)
    }).catch(() => {})
  }
  const timer = setInterval(saveSoon, renewMs)
  const end = () => {
    isStopped = true
    clearInterval(timer)
  }

  return {
    lost: lost.signal,
    add(part) {
      parts.push(part)
      saveSoon()
    },
    async flush(isLast = false) {
      if (isLast) end()
      await inTurn(async () => {
        lost.signal.throwIfAborted()
        const { repeated } = await outlastOutage(() => saveOnce(isLast))
        if (!lost.signal.aborted) return
        // An earlier attempt may have ended the lease, although its response was lost.
        const found = repeated && isLast ? await find(db, held) : undefined
        if (!found?.isFree || offsetOf(found.progress) !== offsetOf(held.progress)) throw lost.signal.reason
      })
    },
    async stop() {
      end()
      await queue
    },
  }
}
