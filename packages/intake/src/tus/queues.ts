import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@playtherapy/schema'
import { UploadExpiredError, UploadHeldError, UploadMissingError } from './errors.ts'
import { claim, type Held } from './lease.ts'
import { find, type OfSession } from './repository.ts'

/** Pauses before the database is asked again whether an upload is free: each is twice the last one, up to the longest. */
const [firstPauseMs, longestPauseMs] = [100, 1_000]
/** The longest wait: more than the lease of a dead process. */
const waitMs = 7_000
/** So many requests of a process may wait for one upload. Only the first of them asks the database. */
const mostWaiting = 4
/** A holder whose client was silent for so long gives way: its connection may be dead. */
const silenceMs = 1_000

/** A request of this process that writes. */
interface Writer {
  silentMs(): number
  /** Ends the body, so that what came is kept and the upload becomes free. */
  stop(): void
}

/** The uploads that requests of this process write, and those that wait for them. */
export function createQueues(db: Database) {
  const writers = new Map<string, Writer & { left: AbortController }>()
  const queues = new Map<string, { length: number; last: Promise<unknown> }>()

  /** Lets another request write, if the client of this one seems to have gone. */
  function giveWay(uploadId: string): void {
    const writer = writers.get(uploadId)
    if (writer && writer.silentMs() >= silenceMs) writer.stop()
  }

  /** Takes the lease; undefined if the recording is durable already. Asks as long as another request has it. */
  async function askForLease(upload: OfSession, end: number, over: AbortSignal): Promise<Held | undefined> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const held = await claim(db, upload, randomUUID())
      if (held) return held
      const found = await find(db, upload)
      if (!found) throw new UploadMissingError()
      if (found.isDurable) return undefined
      if (found.isOver) throw new UploadExpiredError()
      if (over.aborted || performance.now() > end) throw new UploadHeldError()
      giveWay(upload.uploadId)
      // One that is written by this process is free when its request has left.
      const left = writers.get(upload.uploadId)?.left.signal
      await sleep(pauseMs, undefined, { signal: left ? AbortSignal.any([over, left]) : over }).catch(() => {})
    }
  }

  return {
    giveWay,

    /** Ends all requests that write. */
    stop(): void {
      for (const writer of writers.values()) writer.stop()
    },

    /** Ends the request that writes an upload, if it is one of this process. */
    stopWriter: (uploadId: string) => writers.get(uploadId)?.stop(),

    /** Remembers a request that writes, until the function that it returns is called. */
    enter(uploadId: string, writer: Writer): () => void {
      const entered = { ...writer, left: new AbortController() }
      writers.set(uploadId, entered)
      return () => {
        entered.left.abort()
        if (writers.get(uploadId) === entered) writers.delete(uploadId)
      }
    },

    /**
     * Takes the right to write an upload; undefined if the recording is durable already. Waits while another request has it, and
     * throws UploadHeldError when that goes on; also UploadMissingError and UploadExpiredError.
     */
    async takeLease(upload: OfSession, over: AbortSignal): Promise<Held | undefined> {
      const end = performance.now() + waitMs
      const queue = queues.get(upload.uploadId) ?? { length: 0, last: Promise.resolve() }
      if (queue.length === mostWaiting) throw new UploadHeldError()
      queues.set(upload.uploadId, queue)
      queue.length++
      const turn = queue.last.then(() => askForLease(upload, end, over))
      queue.last = turn.catch(() => {})
      return turn.finally(() => {
        queue.length--
        if (queue.length === 0) queues.delete(upload.uploadId)
      })
    },
  }
}
