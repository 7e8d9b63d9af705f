import { sql } from 'drizzle-orm'
import type { Database, Transaction } from './database.ts'
import type { JobName, JobPayloads } from './jobs.ts'
import { outbox } from './tables.ts'

interface AnnounceOptions {
  /** Seconds before the job may be published; 0 by default. */
  delaySeconds?: number
  /** The request that caused it, so that the logs can be searched for it. */
  requestId?: string
}

/** Writes the outbox row of a job. Call it in the transaction that makes the job necessary, so that none is lost. */
export async function announce<N extends JobName>(
  tx: Database | Transaction,
  name: N,
  payload: JobPayloads[N],
  { delaySeconds = 0, requestId }: AnnounceOptions = {},
): Promise<void> {
  await tx.insert(outbox).values({
    name,
    payload,
    requestId: requestId ?? null,
    availableAt: sql`now() + make_interval(secs => ${delaySeconds})`,
  })
}

/** Writes the outbox rows of several jobs, in this order. */
export async function announceEach<N extends JobName>(
  tx: Database | Transaction,
  name: N,
  payloads: JobPayloads[N][],
): Promise<void> {
  if (payloads.length > 0) await tx.insert(outbox).values(payloads.map((payload) => ({ name, payload })))
}
