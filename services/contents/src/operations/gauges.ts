import type { ObjectStore } from '@playtherapy/object-store'
import type { Database, Pool } from '@playtherapy/schema'
import { type Meter, type Renewed, renewed } from '@playtherapy/service-kit'
import { type BytesHeld, countJobs, runningProcesses, waitingWebhooks } from './repository.ts'

/** The least age of what is read of the database for metrics. */
const readMs = 5_000

/** The programs that write heartbeats. */
const kinds = ['contents', 'media', 'script', 'worker']

/** The states of jobs that are shown. */
const states = ['later', 'waiting', 'begun', 'failed', 'refused'] as const

/**
 * Shows the whole installation in the metrics of contents, so that its numbers are there while no worker runs. All replicas show the
 * same, and a scrape reads the database only when what is known has become too old.
 */
export function installGauges(
  meter: Meter,
  db: Database,
  store: Pick<ObjectStore, 'room'>,
  bytes: Renewed<BytesHeld>,
): void {
  const read = async (pool: Pool) => ({
    jobs: await countJobs(pool),
    running: await runningProcesses(pool),
    webhooks: await waitingWebhooks(pool),
  })
  const known = renewed(() => db.heavy(0, read), readMs)
  meter.gauges(
    {
      queue_jobs: { help: 'Jobs that have not ended or were given up, by state', labels: ['kind', 'state'] },
      queue_oldest_job_seconds: {
        help: 'For how long the oldest job that has not begun has been due',
        labels: ['kind'],
      },
      processes_alive: { help: 'Processes whose last heartbeat is younger than half a minute', labels: ['kind'] },
      processes_lost: { help: 'Processes that ended without a word within the last hour', labels: ['kind'] },
      webhooks_waiting: { help: 'Sessions of which the receiver of webhooks is still to be told' },
      webhook_oldest_seconds: { help: 'Time since the first attempt at the oldest webhook that has not arrived' },
      database_size_bytes: { help: 'Bytes of the database on its disk' },
    },
    async () => {
      const { jobs, running, webhooks } = await known.get()
      const count = (alive: boolean) =>
        kinds.map((kind) => ({
          labels: { kind },
          value: running.filter((process) => process.kind === kind && process.isAlive === alive).length,
        }))
      return {
        queue_jobs: jobs.flatMap(({ name: kind, ...counts }) =>
          states.map((state) => ({ labels: { kind, state }, value: counts[state] })),
        ),
        queue_oldest_job_seconds: jobs.map(({ name: kind, oldest_seconds }) => ({
          labels: { kind },
          value: oldest_seconds ?? 0,
        })),
        processes_alive: count(true),
        processes_lost: count(false),
        webhooks_waiting: webhooks.waiting,
        webhook_oldest_seconds: webhooks.oldestSeconds,
        database_size_bytes: webhooks.databaseBytes,
      }
    },
  )
  meter.gauges(
    { stored_bytes: { help: 'Bytes of all objects that the database knows, by what they are', labels: ['content'] } },
    async () => ({
      stored_bytes: Object.entries(await bytes.get()).map(([content, value]) => ({ labels: { content }, value })),
    }),
  )
  meter.gauges(
    {
      store_free_bytes: { help: 'Free bytes of the disk of the object store, where the store can tell, as S3 cannot' },
      store_size_bytes: { help: 'Bytes of the disk of the object store, where the store can tell' },
    },
    async () => {
      const room = await store.room()
      return { store_free_bytes: room?.freeBytes, store_size_bytes: room?.totalBytes }
    },
  )
}
