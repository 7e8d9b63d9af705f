import { openQueues, type QueueSettings } from './connection.ts'
import type { Log } from './log.ts'

/** Opens a queue and closes it again. Rejects within five seconds, with what its server said, when it cannot be used. */
export async function checkQueue({ url, prefix }: Omit<QueueSettings, 'log'>): Promise<void> {
  let reported: unknown
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: ({ err }: { err?: unknown }) => {
      reported ??= err
    },
    error: () => {},
    child: () => log,
  }
  const queues = openQueues({ url, log, ...(prefix && { prefix }) })
  queues.queue('erase')
  try {
    await queues.ready()
  } catch (error) {
    throw reported ?? error
  } finally {
    await queues.close()
  }
}
