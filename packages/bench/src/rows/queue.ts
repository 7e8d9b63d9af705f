import { setTimeout as sleep } from 'node:timers/promises'
import { createWorker } from '@playtherapy/jobs'
import { announce, openDatabase } from '@playtherapy/schema'
import { Queue, Worker } from 'bullmq'
import { sql } from 'drizzle-orm'
import { onlyHandler, silent, until } from '../jobs.ts'
import { alternate, figure, quantile, ratio } from '../measure.ts'
import type { Row } from '../row.ts'

const jobs = 2_000
/** This many jobs are announced with one call, and this many run at once, on both sides. */
const [together, concurrency] = [100, 50]
/** This many jobs are announced one by one, with this pause, to measure how soon each starts. */
const [single, pauseMs] = [200, 10]

const jobsPerSecond = (began: number) => jobs / ((performance.now() - began) / 1000)

/** No-op jobs through outbox and relay, and through BullMQ alone, both on Redis and in this process. */
export const queue: Row = {
  name: 'queue',
  async measure(place) {
    const redis = await place.redis()
    const url = await place.database('queue')
    const database = openDatabase({ url, max: 4, applicationName: 'bench' })
    const service = openDatabase({ url, max: 8, applicationName: 'bench' })
    let seen = (_: number) => {}
    const worker = await createWorker({
      queueUrl: redis,
      prefix: '{bench}',
      database,
      log: silent,
      reasonOf: String,
      handlers: onlyHandler(async ({ session_id }) => seen(session_id)),
      concurrency: { 'delete-superseded': concurrency },
    })
    const connection = { url: redis, maxRetriesPerRequest: null }
    const bare = new Queue('bare', { connection })
    const bareWorker = new Worker('bare', async () => seen(0), { connection, concurrency })
    await bareWorker.waitUntilReady()

    const throughput = async (addSome: (numbers: number[]) => Promise<unknown>) => {
      let done = 0
      seen = () => done++
      const began = performance.now()
      const numbers = Array.from({ length: together }, (_, n) => n + 1)
      for (let sent = 0; sent < jobs; sent += together) await addSome(numbers.map((n) => n + sent))
      await until(() => done === jobs)
      return jobsPerSecond(began)
    }
    const rates = await alternate({
      ours: () =>
        throughput((numbers) =>
          service.db.execute(sql`
            insert into outbox (name, payload)
            select 'delete-superseded', jsonb_build_object('session_id', n)
            from generate_series(${numbers[0]}::int, ${numbers.at(-1)}::int) as n`),
        ),
      theirs: () =>
        throughput((numbers) =>
          bare.addBulk(numbers.map((n) => ({ name: 'no-op', data: { n }, opts: { removeOnComplete: true } }))),
        ),
    })

    const delays: { p50: number; p99: number }[] = []
    for (let round = 0; round < 5; round++) {
      const [committed, started] = [new Map<number, number>(), new Map<number, number>()]
      seen = (n) => started.set(n, performance.now())
      for (let n = 1; n <= single; n++) {
        await announce(service.db, 'delete-superseded', { session_id: n })
        committed.set(n, performance.now())
        await sleep(pauseMs)
      }
      await until(() => started.size === single)
      const took = [...committed].map(([n, at]) => Math.max(0, (started.get(n) ?? Number.NaN) - at))
      delays.push({ p50: quantile(took, 0.5), p99: quantile(took, 0.99) })
    }

    await Promise.all([worker.close(), bareWorker.close()])
    await bare.close()
    await Promise.all([service.close(), database.close()])
    const about = { unit: 'ms', name: '' }
    return [
      ratio(
        { name: '2,000 no-op jobs: jobs a second against BullMQ alone', target: { least: 0.6 } },
        [rates.ours, rates.theirs],
        (rate) => rate,
      ),
      figure(
        { ...about, name: 'commit to start of a job, p50', target: { most: 20 } },
        delays.map(({ p50 }) => p50),
      ),
      figure(
        { ...about, name: 'commit to start of a job, p99', target: { most: 100 } },
        delays.map(({ p99 }) => p99),
      ),
    ]
  },
}
