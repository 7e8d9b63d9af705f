import { currentTraceparent } from '@playtherapy/tracing'
import { sql } from 'drizzle-orm'
import type { Database, Transaction } from './database.ts'
import type { JobName, JobPayloads } from './jobs.ts'
import { outbox } from './tables.ts'

interface AnnounceOptions {
  /** Seconds before the job may be published; 0 by default. */
  delaySeconds?: number
  /** The request that caused it, so that the logs can be searched for it. */
  requestId?: string
  /** The trace that it continues; that of the caller by default. */
  traceparent?: string | null
}

/** What begins later than this has a trace of its own: one that goes on for days is shown by nothing as a whole. */
const longestPauseSeconds = 3_600

/** Writes the outbox row of a job. Call it in the transaction that makes the job necessary, so that none is lost. */
export async function announce<N extends JobName>(
  tx: Database | Transaction,
  name: N,
  payload: JobPayloads[N],
  { delaySeconds = 0, requestId, traceparent = currentTraceparent() ?? null }: AnnounceOptions = {},
): Promise<void> {
  await tx.insert(outbox).values({
    name,
    payload,
    requestId: requestId ?? null,
    traceparent: delaySeconds > longestPauseSeconds ? null : traceparent,
    availableAt: sql`now() + make_interval(secs => ${delaySeconds})`,
  })
}

/** Writes the outbox rows of several jobs, in this order. */
export async function announceEach<N extends JobName>(
  tx: Database | Transaction,
  name: N,
  payloads: JobPayloads[N][],
): Promise<void> {
  const traceparent = currentTraceparent() ?? null
  if (payloads.length > 0) await tx.insert(outbox).values(payloads.map((payload) => ({ name, payload, traceparent })))
}
