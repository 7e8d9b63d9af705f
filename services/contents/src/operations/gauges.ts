import type { ObjectStore } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { type Meter, type Renewed, renewed } from '@playtherapy/service-kit'
import type { BytesHeld } from './bytes.ts'
import { countJobs, countProcesses, databaseBytes, waitingWebhooks } from './repository.ts'

/** The least age of what is read of the database for metrics. */
const readMs = 5_000

/** The programs that write heartbeats. */
const kinds = ['contents', 'media', 'script', 'worker']

/** The states of jobs that are shown. */
const states = ['later', 'waiting', 'begun', 'failed', 'refused'] as const

/**
 * Of the heavy statements of one number one runs at a time. These numbers are no therapist's, so that no reading waits for another one,
 * for a therapist, or for what operators see.
 */
const readings = { jobs: -1, processes: -2, webhooks: -3, size: -4 }

/**
 * Shows the whole installation in the metrics of contents, so that its numbers are there while no worker runs. All replicas show the
 * same, and a scrape reads the database only when what is known has become too old. Each reading stands alone:
 * one that fails takes no other alert with it.
 */
export function installGauges(
  meter: Meter,
  db: Database,
  store: Pick<ObjectStore, 'room'>,
  bytes: Renewed<BytesHeld>,
): void {
  const jobs = renewed(() => db.heavy(readings.jobs, countJobs), readMs)
  meter.gauges(
    {
      queue_jobs: { help: 'Jobs that have not ended or were given up, by state', labels: ['kind', 'state'] },
      queue_oldest_job_seconds: {
        help: 'For how long the oldest job that has not begun has been due',
        labels: ['kind'],
      },
    },
    async () => {
      const counted = await jobs.get()
      return {
        queue_jobs: counted.flatMap(({ name: kind, ...counts }) =>
          states.map((state) => ({ labels: { kind, state }, value: counts[state] })),
        ),
        queue_oldest_job_seconds: counted.map(({ name: kind, oldest_seconds }) => ({
          labels: { kind },
          value: oldest_seconds ?? 0,
        })),
      }
    },
  )
  const processes = renewed(() => db.heavy(readings.processes, countProcesses), readMs)
  meter.gauges(
    {
      processes_alive: { help: 'Processes whose last heartbeat is younger than half a minute', labels: ['kind'] },
      processes_lost: { help: 'Processes that ended without a word within the last hour', labels: ['kind'] },
    },
    async () => {
      const counted = await processes.get()
      const of = (state: 'alive' | 'lost') =>
        kinds.map((kind) => ({
          labels: { kind },
          value: counted.find((each) => each.kind === kind)?.[state] ?? 0,
        }))
      return { processes_alive: of('alive'), processes_lost: of('lost') }
    },
  )
  const webhooks = renewed(() => db.heavy(readings.webhooks, waitingWebhooks), readMs)
  meter.gauges(
    {
      webhooks_waiting: { help: 'Sessions of which the receiver of webhooks is still to be told' },
      webhook_oldest_seconds: { help: 'Time since the first attempt at the oldest webhook that has not arrived' },
    },
    async () => {
      const { waiting, oldestSeconds } = await webhooks.get()
      return { webhooks_waiting: waiting, webhook_oldest_seconds: oldestSeconds }
    },
  )
  const size = renewed(() => db.heavy(readings.size, databaseBytes), readMs)
  meter.gauges({ database_size_bytes: { help: 'Bytes of the database on its disk' } }, async () => ({
    database_size_bytes: await size.get(),
  }))
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
