import type { Database } from '@playtherapy/schema'
import type { Meter } from '@playtherapy/service-kit'
import { sql } from 'drizzle-orm'

/**
 * Shows in the metrics whether the audit trail is sealed and published. Returns a function that is to be called each time when this worker
 * has found that the object store has the head of the trail.
 */
export function createTrailMeasures(db: Database, meter: Meter): () => void {
  // Not since the start: where workers come and go more often than heads are compared, none would ever be old.
  let publishedAt = Number.NEGATIVE_INFINITY
  meter.gauges(
    {
      audit_unsealed_seconds: {
        help: 'Age of the oldest event of the audit trail that is not sealed; 0 where all are',
      },
      audit_head_seconds: {
        help: 'Time since this worker last found the audit trail and its heads in the object store to agree; +Inf until it has',
      },
    },
    async () => {
      const [row] = await db.execute<{ age: number }>(
        sql`select greatest(0, extract(epoch from now() - (
            select at from audit_events where audit_events.id > coalesce((select max(last_id) from audit_seals), 0)
            order by audit_events.id limit 1)))::float8 as age`,
      )
      return { audit_unsealed_seconds: row?.age ?? 0, audit_head_seconds: (performance.now() - publishedAt) / 1_000 }
    },
  )
  return () => {
    publishedAt = performance.now()
  }
}
