import { setTimeout } from 'node:timers/promises'
import type { JobName, OpenDatabase } from '@playtherapy/schema'
import { outbox } from '@playtherapy/schema'
import { beginTrace, type OpenSpan } from '@playtherapy/tracing'
import type { JobsOptions } from 'bullmq'
import { and, asc, isNull, lte, min, sql } from 'drizzle-orm'
import { isPublishable, type JobData, jobOptions, type OutboxRow, outboxColumns } from './catalogue.ts'
import type { Queues } from './connection.ts'
import { QueueError } from './errors.ts'
import type { Log } from './log.ts'
import { turnsOf } from './turns.ts'

export interface RelaySettings {
  database: Pick<OpenDatabase, 'db' | 'sql'>
  queues: Pick<Queues, 'queue'>
  log: Log
}

export interface Relay {
  /** Why the last round failed: a QueueError, or an error of the database; undefined when it succeeded. */
  failure(): unknown
  /** Resolves when the current batch has ended. */
  close(): Promise<void>
}

/** Rows published in one transaction. */
const batchRows = 500
/** Longest pause between two rounds. Usually a commit wakes the relay; this is for lost notices and after failures. */
const pollMs = 5_000
/** Seconds after which an unknown job is read again: a newer release may know it. */
const unknownJobSeconds = 60

/**
 * Publishes outbox rows to BullMQ, in the transaction that marks them as published: after a rollback a row is published
 * again under the same job id. Relays share the work by SKIP LOCKED. While the queue is down, rows wait in the table.
 * Rejects if LISTEN fails.
 */
export async function startRelay({ database: { db, sql: client }, queues, log }: RelaySettings): Promise<Relay> {
  let closing = false
  let failures = 0
  let failure: unknown
  let woken = false
  let nap = new AbortController()

  /** Publishes one batch; returns how many rows were due. */
  const publishBatch = async () => {
    let spans = new Map<number, OpenSpan>()
    const rows = await db.transaction(async (tx) => {
      const due: OutboxRow[] = await tx
        .select(outboxColumns)
        .from(outbox)
        .where(and(unpublished, lte(outbox.availableAt, sql`now()`)))
        .orderBy(asc(outbox.availableAt), asc(outbox.id))
        .limit(batchRows)
        .for('update', { skipLocked: true })
      if (due.length === 0) return 0
      const good = due.filter(isPublishable)
      const turns = await turnsOf(tx, good)
      spans = spansOf(good)
      const publishing = [...byName(good, turns, spans)].map(([name, jobs]) => queues.queue(name).addBulk(jobs))
      await Promise.all(publishing).catch((cause: unknown) => {
        throw new QueueError('the queue accepts no jobs', { cause })
      })
      await tx.update(outbox).set({ publishedAt: sql`now()` }).where(these(good))
      const bad = due.filter((row) => !isPublishable(row))
      if (bad.length === 0) return due.length
      for (const { id, name } of bad) log.error({ outbox_id: id, job: name }, 'an outbox row is no known job')
      const later = sql`now() + make_interval(secs => ${unknownJobSeconds})`
      await tx.update(outbox).set({ availableAt: later }).where(these(bad))
      return due.length
    })
    // Those of a batch that failed are not sent: it is repeated every few seconds.
    for (const span of spans.values()) span.end()
    return rows
  }

  /** Milliseconds until the next row is due, at least 100: another relay has locked a row that is due already. */
  const untilNext = async () => {
    const [row] = await db
      .select({
        milliseconds: sql<number | null>`extract(epoch from ${min(outbox.availableAt)} - now())::float8 * 1000`,
      })
      .from(outbox)
      .where(unpublished)
    return Math.min(Math.max(row?.milliseconds ?? pollMs, 100), pollMs)
  }

  const sleep = async (milliseconds: number) => {
    nap = new AbortController()
    if (!closing) await setTimeout(milliseconds, undefined, { signal: nap.signal }).catch(() => undefined)
  }

  const run = async () => {
    while (!closing) {
      try {
        woken = false
        while (!closing && (await publishBatch()) === batchRows);
        const pause = await untilNext()
        failures = 0
        failure = undefined
        if (!woken) await sleep(pause)
      } catch (error) {
        failures += 1
        failure = error
        log.warn({ err: error, failures }, 'the outbox could not be published')
        await sleep(Math.min(100 * 2 ** failures, pollMs) * (0.5 + Math.random() / 2))
      }
    }
  }

  const wake = () => {
    woken = true
    // After a failure the pause is not cut short: otherwise every commit would try a queue that is down.
    if (failures === 0) nap.abort()
  }
  // The second function is called after each LISTEN, also that after a lost connection, when notices were missed.
  const subscription = await client.listen('outbox', wake, wake)
  const finished = run()
  return {
    failure: () => failure,
    async close() {
      closing = true
      nap.abort()
      await finished
      await subscription.unlisten().catch(() => undefined)
    },
  }
}

/** Neither published nor given up. */
const unpublished = and(isNull(outbox.publishedAt), isNull(outbox.failedAt))

/** One parameter for any number of rows, so that there is one prepared statement. */
const these = (rows: OutboxRow[]) => sql`${outbox.id} = any(${`{${rows.map((row) => row.id).join()}}`}::bigint[])`

type KnownRow = OutboxRow & { name: JobName }

/** The spans of those rows that continue a trace, by their ids, while tracing is on. */
function spansOf(rows: KnownRow[]): Map<number, OpenSpan> {
  return new Map(
    rows.flatMap(({ id, name, traceparent }): [number, OpenSpan][] => {
      const about = { name: `publish ${name}`, kind: 'producer', attributes: { 'playtherapy.outbox_id': id } } as const
      const span = traceparent === null ? undefined : beginTrace(about, traceparent)
      return span ? [[id, span]] : []
    }),
  )
}

function byName(rows: KnownRow[], turns: Map<number, number>, spans: Map<number, OpenSpan>) {
  const groups = new Map<JobName, { name: JobName; data: JobData; opts: JobsOptions }[]>()
  for (const { id, name, payload, requestId, attempts, ...row } of rows) {
    const traceparent = spans.get(id)?.traceparent ?? row.traceparent
    const data = { outbox_id: id, payload, request_id: requestId, traceparent, first_attempt: attempts + 1 }
    const job = { name, data, opts: jobOptions(name, id, turns.get(id)) }
    groups.set(name, [...(groups.get(name) ?? []), job])
  }
  return groups
}
