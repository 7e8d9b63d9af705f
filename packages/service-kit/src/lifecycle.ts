import closeWithGrace, { type Options } from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { loggable } from './loggable.ts'

const options: Options = {
  /** How long a process may take to stop, in milliseconds: less than the 10 s after which a container runtime kills it. */
  delay: 8_000,
  /**
   * `beginProgram` explains an exception that nobody catches. Node runs no code of ours safely after a crash, so these signals
   * keep their effect.
   */
  skip: [
    'uncaughtException',
    'unhandledRejection',
    'SIGILL',
    'SIGTRAP',
    'SIGABRT',
    'SIGBUS',
    'SIGFPE',
    'SIGSEGV',
    'SIGQUIT',
    'SIGUSR2',
  ],
}

interface Running {
  /** The name of the process, for the last line that it prints. */
  name: string
  /** Stops accepting, finishes what is running, and frees resources. The process may exit in the middle of it. */
  close(): Promise<void>
}

/**
 * Closes on SIGTERM, SIGINT, SIGHUP, or when a parent with an IPC channel to us exits. The process exits with 1 if that takes
 * longer than the deadline, or at a second signal. A close that fails is reported on stderr.
 */
export function closeOnSignals({ name, close }: Running): void {
  const say = (what: string, error?: unknown) =>
    console.error(`${name}: ${what}`, ...(error ? [JSON.stringify(loggable(error))] : []))
  const logger = {
    error: (what: unknown) => (typeof what === 'string' ? say(what) : say('the process could not be closed', what)),
  }
  // A parent may go while we close already.
  let closed: Promise<void> | undefined
  const grace = closeWithGrace({ ...options, logger }, async () => {
    closed ??= close()
    await closed
  })
  process.once('disconnect', grace.close)
  // The parent may have exited while we were starting; without a channel this is undefined.
  if (process.connected === false) grace.close()
}

/** How long running requests may continue when a host closes, in milliseconds. It leaves time to free the rest. */
const drainMs = 5_000

/**
 * Closes a host in order: it accepts no new connections, answers requests that still come on open ones, of which only uploads and
 * event streams get 503, and finishes all of them. After the drain time their connections are closed, and unfinished uploads are
 * discarded.
 */
export async function drain(host: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => host.server.closeAllConnections(), drainMs)
  try {
    await host.close()
  } finally {
    clearTimeout(cut)
  }
}
