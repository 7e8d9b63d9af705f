import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import { UploadExpiredError, UploadHeldError, UploadMissingError } from './errors.ts'
import { claim, find, type Held, type OfSession } from './repository.ts'

/** Pause before it is looked again whether an upload is free, and the longest wait: more than the lease of a dead process. */
const [pauseMs, waitMs] = [200, 7_000]
/** So many requests may wait for one upload, because each asks the database again and again. */
const mostWaiting = 4
/** A holder whose client was silent for so long gives way: its connection may be dead. */
const silenceMs = 1_000

/** A request of this process that writes. */
interface Writer {
  silentMs(): number
  /** Ends the body, so that what came is kept and the upload becomes free. */
  stop(): void
}

/** The uploads that requests of this process write. */
export function createHolding(db: Database) {
  const writers = new Map<string, Writer>()
  const waiting = new Map<string, number>()
  /** Lets another request write, if the client of this one seems to have gone. */
  function giveWay(uploadId: string): void {
    const writer = writers.get(uploadId)
    if (writer && writer.silentMs() >= silenceMs) writer.stop()
  }

  return {
    writers,
    giveWay,

    /**
     * Takes the right to write an upload; undefined if the recording is durable already. Waits while another request has it, and
     * throws UploadHeldError when that goes on; also UploadMissingError and UploadExpiredError.
     */
    async hold(wanted: OfSession, over: AbortSignal): Promise<Held | undefined> {
      const { uploadId } = wanted
      const end = Date.now() + waitMs
      for (;;) {
        const held = await claim(db, wanted, randomUUID())
        if (held) return held
        const found = await find(db, wanted)
        if (!found) throw new UploadMissingError()
        if (found.isDurable) return undefined
        if (found.isOver) throw new UploadExpiredError()
        const others = waiting.get(uploadId) ?? 0
        if (Date.now() > end || others === mostWaiting) throw new UploadHeldError()
        giveWay(uploadId)
        waiting.set(uploadId, others + 1)
        try {
          await sleep(pauseMs, undefined, { signal: over })
        } catch {
          throw new UploadHeldError()
        } finally {
          const left = (waiting.get(uploadId) ?? 1) - 1
          if (left > 0) waiting.set(uploadId, left)
          else waiting.delete(uploadId)
        }
      }
    },
  }
}
