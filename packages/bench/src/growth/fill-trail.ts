import type postgres from 'postgres'
import { type Amounts, momentOf } from './amounts.ts'

/** Events of one seal. */
const sealEvents = 1_000

/**
 * Writes the audit trail: events of all cases over all months, each month in its partition, and the seals of all but the last events.
 * The hashes are random: only a verification reads them.
 */
export async function fillTrail(sql: postgres.Sql, { events, months }: Amounts): Promise<void> {
  // The functions of the migrations make partitions of this month and of later ones.
  await sql.unsafe(`
    do $$
    declare month timestamp; begin
      for n in 1..${months} loop
        month := date_trunc('month', now() at time zone 'UTC') - make_interval(months => n);
        execute format('create table %I partition of audit_events for values from (%L) to (%L)',
          'audit_events_' || to_char(month, 'YYYY_MM'), month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
      end loop;
    end $$`)
  await sql.unsafe(`
    insert into audit_events (at, actor, user_id, action, kind, case_id, session_id, request_id, address)
    select ${momentOf('n', events, months)}, 'therapist', cases.user_id, (array['read', 'read', 'read', 'update'])[1 + n % 4],
      (array['case', 'session', 'video', 'script'])[1 + n % 4], cases.id, cases.id, gen_random_uuid(), '192.0.2.7'
    from generate_series(1, ${events}) as n join cases on cases.id = 1 + n % (select max(id) from cases)
    order by n`)
  await sql.unsafe(`
    insert into audit_seals (last_id, ids, moments, previous, hashes, first_at, last_at, sealed_at)
    select max(id), array_agg(id), array_agg(at), sha256('a'), string_agg(sha256(id::text::bytea), ''), min(at), max(at), max(at)
    from audit_events where id <= ${events - sealEvents} group by (id - 1) / ${sealEvents}`)
}
