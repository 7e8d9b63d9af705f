import type postgres from 'postgres'
import type { Amounts } from './amounts.ts'

/**
 * Writes what is kept for a day or until somebody looks at it: jobs that are due later, jobs that were given up, webhooks of a receiver
 * that is down, keys of requests, changes of sessions, exports, and the pages that searches have made. Erasures and their receipts are
 * kept for good.
 */
export async function fillQueues(sql: postgres.Sql, { daily, erasures, months }: Amounts): Promise<void> {
  const fills = [
    `insert into erasures (user_id, request_id, case_id, session_id, created_at, first_swept_at, last_swept_at, receipt)
      select 2 + n % 20, gen_random_uuid(), 1000000000 + n, null, now() - make_interval(days => ${months * 30}) * random(),
        now(), now(), repeat(md5(n::text), 40) from generate_series(1, ${erasures}) as n`,
    `insert into idempotency_keys (user_id, key, request, session_id, created_at)
      select case_id % 1000 + 1, md5(id::text) || md5(id::text), md5('b' || id) || md5(id::text), id, now() - interval '20 hours' * random()
      from sessions where id <= ${daily}`,
    `insert into session_changes (user_id, case_id, session_id, created_at)
      select user_id, case_id, sessions.id, now() - make_interval(mins => 1200) * (1 - sessions.id::float8 / ${daily})
      from sessions join cases on cases.id = case_id where sessions.id <= ${daily} order by sessions.id`,
    `update installation set changes_forgotten = 0`,
    `insert into outbox (name, payload, available_at)
      select 'erase', jsonb_build_object('erasure_id', n), now() + interval '1 day' * (0.5 + random() / 2)
      from generate_series(1, ${daily}) as n`,
    `insert into outbox (name, payload, attempts, published_at, failed_at, failure, is_refused)
      select 'encode-video', jsonb_build_object('video_id', n), 10, now(), now() - interval '300 days' * random(), 'the recording has no picture', n % 10 > 0
      from generate_series(1, ${daily / 10}) as n`,
    `insert into outbox (name, payload, attempts, published_at, failed_at, failure)
      select 'send-webhook', jsonb_build_object('user_id', user_id, 'case_id', case_id, 'session_id', sessions.id), 10, now(),
        now() - interval '6 days' * random(), 'the receiver cannot be reached'
      from sessions join cases on cases.id = case_id where sessions.id <= ${daily}`,
    `insert into case_exports (case_id, state_id, without_media, pseudonyms, attempt, path, size, etag, finished_at, expires_at)
      select id, 3, true, false, 1, 'LOCAL/' || id || '/' || id || '-' || md5(id::text) || '-1.zip', 1000000, '"e"', now(),
        now() + interval '1 day' * (0.5 + random() / 2) from cases where id <= ${daily / 10}`,
    `insert into script_pages (script_version_id, first_record, folded, folding, records)
      select script_version_id, 0, repeat('우리 같이 놀까요' || e'\\n', 20), 2,
        (select jsonb_agg(jsonb_build_object('start_time', '00:00:01', 'end_time', '00:00:02', 'speaker', 'T', 'text', '우리 같이 놀까요'))
          from generate_series(1, 20))
      from sessions where script_version_id is not null and id <= ${daily * 8}`,
    `insert into processes (id, kind, version, commit)
      select gen_random_uuid(), 'worker', '0.1.0', 'c' from generate_series(1, 20)`,
    `insert into recent_encodes (at, seconds) select now() - interval '2 hours' * random(), 30 from generate_series(1, ${daily / 10})`,
  ]
  for (const statement of fills) await sql.unsafe(statement)
}
