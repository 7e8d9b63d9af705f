import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type OpenDatabase, openDatabase } from '@playtherapy/schema'
import { type QueueBackend, type Teardown, testDatabase, testQueue } from '@playtherapy/testing'
import { openQueues, type Queues } from '../src/connection.ts'
import { createWorker, type JobHandlers, type Log, type RunningWorker, type WorkerSettings } from '../src/index.ts'

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

export const reasonOf = () => 'It broke.'

/** Handlers for every job: those given, and for the others one that fails the job. */
export function handlersWith(given: Partial<JobHandlers>): JobHandlers {
  const unexpected = async () => {
    throw new Error('this job was not expected')
  }
  return {
    'encode-video': unexpected,
    'encode-chunk': unexpected,
    'finish-video': unexpected,
    'transcribe-video': unexpected,
    'analyse-script': unexpected,
    'delete-superseded': unexpected,
    'sweep-presigned': unexpected,
    erase: unexpected,
    'erase-video': unexpected,
    'export-case': unexpected,
    'send-webhook': unexpected,
    ...given,
  }
}

export interface Place {
  database: OpenDatabase
  /** The queues from outside, to look into them. */
  queues: Queues
  /** A worker on this place, as its own process would have it. */
  start(
    settings: Omit<WorkerSettings, 'queueUrl' | 'prefix' | 'database' | 'log' | 'handlers' | 'reasonOf'> & WorkerParts,
  ): Promise<RunningWorker>
  /** How many jobs have not ended well. */
  outboxRows(): Promise<number>
  /** How many of them the queue has not been told of. */
  unpublishedRows(): Promise<number>
}

interface WorkerParts {
  handlers: Partial<JobHandlers>
  log?: Log
}

/** A place over servers that the test brings. */
export function placeAt(t: Teardown, database: OpenDatabase, databaseUrl: string, url: string, prefix: string): Place {
  const queues = openQueues({ url, prefix, log: silent })
  t.teardown(() => queues.close())
  return {
    database,
    queues,
    async start({ handlers, log = silent, ...settings }) {
      // Connections of its own, as another process has them.
      const own = openDatabase({ url: databaseUrl, max: 4, applicationName: 'worker' })
      t.teardown(() => own.close())
      const worker = await createWorker({
        ...settings,
        queueUrl: url,
        prefix,
        database: own,
        handlers: handlersWith(handlers),
        log,
        reasonOf,
      })
      t.teardown(() => worker.close())
      return worker
    },
    async outboxRows() {
      const [row] = await database.sql<{ rows: number }[]>`select count(*)::int as rows from outbox`
      return row?.rows ?? 0
    },
    async unpublishedRows() {
      const [row] = await database.sql<{ rows: number }[]>`
        select count(*)::int as rows from outbox where published_at is null`
      return row?.rows ?? 0
    },
  }
}

/** A fresh database and a queue on the given backend. */
export async function testPlace(t: Teardown, backend: QueueBackend): Promise<Place> {
  const database = await testDatabase(t)
  const { url, prefix } = testQueue(t, backend, database.urls.worker)
  const place = placeAt(t, database, database.urls.worker, url, prefix)
  if (backend !== 'postgres') return place
  // Tests also do what a worker has no right to, such as losing a whole queue.
  const queues = openQueues({ url: database.url, prefix, log: silent })
  t.teardown(() => queues.close())
  return { ...place, queues }
}

/** A folder of the test's own, that a server run as another user can reach too. */
export async function scratchFolder(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-jobs-'))
  await chmod(folder, 0o755)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}
