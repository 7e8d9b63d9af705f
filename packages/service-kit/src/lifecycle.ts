import type { FastifyInstance } from 'fastify'
import { loggable } from './loggable.ts'

/** Longest time a process takes to stop, in milliseconds: below the 10 s that container runtimes grant. */
const closeDeadlineMs = 8_000

interface Running {
  /** Name of the process for its last words. */
  name: string
  /** Stops accepting, drains, frees. Must be safe to be abandoned at the deadline. */
  close(): Promise<void>
}

/**
 * Closes on SIGTERM, SIGINT, or the death of a parent that holds an IPC channel to us; within the deadline, or by
 * force. A second signal forces at once. A failure nobody caught ends the process: its state cannot be trusted.
 */
export function closeOnSignals({ name, close }: Running): void {
  let closing = false
  const end = (signal: string) => {
    if (closing) {
      if (signal !== 'disconnect') process.exit(1)
      return
    }
    closing = true
    setTimeout(() => {
      console.error(`${name}: not closed within ${closeDeadlineMs} ms, leaving`)
      process.exit(1)
    }, closeDeadlineMs).unref()
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  process.on('disconnect', () => end('disconnect'))
  // The parent may have gone while we were starting; without a channel this is undefined.
  if (process.connected === false) end('disconnect')
  process.on('uncaughtException', (error: unknown) => {
    console.error(`${name}: a failure nobody caught, leaving`, JSON.stringify(loggable(error)))
    process.exit(1)
  })
}

/** How long requests under way may go on once a host closes, in milliseconds; it leaves time to free the rest. */
const drainMs = 5_000

/**
 * Closes a host in order: no new connections, new requests on kept ones answered 503, requests under way finished;
 * those that take longer than the drain time are cut, which discards their uploads.
 */
export async function drain(host: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => host.server.closeAllConnections(), drainMs)
  try {
    await host.close()
  } finally {
    clearTimeout(cut)
  }
}
