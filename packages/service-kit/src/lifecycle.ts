import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { loggable } from './loggable.ts'

/** Longest time a process takes to stop, in milliseconds: below the 10 s that container runtimes grant. */
const closeDeadlineMs = 8_000

interface Running {
  /** Name of the process, which its last words begin with. */
  name: string
  /** Stops accepting, drains, frees. Must be safe to be abandoned at the deadline. */
  close(): Promise<void>
}

/**
 * Closes on SIGTERM, SIGINT and the like, or on the death of a parent that holds an IPC channel to us. After the
 * deadline, or on a second signal, the process exits with 1, as it does at once on a failure that nobody caught: its
 * state cannot be trusted. A close that fails is told on stderr.
 */
export function closeOnSignals({ name, close }: Running): void {
  const say = (what: string, error?: unknown) =>
    console.error(`${name}: ${what}`, ...(error ? [JSON.stringify(loggable(error))] : []))
  const logger = {
    error: (what: unknown) => (typeof what === 'string' ? say(what) : say('the process could not be closed', what)),
  }
  // A parent may go while we close already.
  let closed: Promise<void> | undefined
  const grace = closeWithGrace({ delay: closeDeadlineMs, logger }, async ({ err }) => {
    if (err) {
      say('a failure nobody caught, leaving', err)
      process.exit(1)
    }
    closed ??= close()
    await closed
  })
  process.once('disconnect', grace.close)
  // The parent may have gone while we were starting; without a channel this is undefined.
  if (process.connected === false) grace.close()
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
