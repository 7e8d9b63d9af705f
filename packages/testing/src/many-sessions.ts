/** A database in which many sessions have all that is made of them. */
import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'

const sessionRows = 100_000

/** Encoded, transcribed and analysed sessions, and a job for each tenth: half of them dead letters, half not yet due. */
const fill = sql`
  with numbers as materialized (
    select n, 'LOCAL/' || n || '/' || n || '/' as folder from generate_series(1, ${sessionRows}::int) n),
  "case" as (insert into cases (id, user_id, given_name) select n, 1 + n / 10, 'x' from numbers),
  video as (
    insert into videos (id, session_id, state, path, container, size, etag, stored_at)
    select n, n, 'encoded', folder || 'original', 'mp4', 1, n, now() from numbers),
  rendition as (
    insert into renditions (id, session_id, video_id, path, size, etag, duration_ms, width, height)
    select n, n, n, folder || 'rendition', 1, n, 1, 2, 2 from numbers),
  audio as (insert into audio_renditions (video_id, path, size, etag) select n, folder || 'audio', 1, n from numbers),
  script as (
    insert into script_versions (id, session_id, version, state, path, size, etag, user_id)
    select n, n, 1, 'stored', folder || 'script', 1, n, 1 from numbers),
  report as (
    insert into report_versions (id, session_id, version, state, path, size, etag)
    select n, n, 1, 'stored', folder || 'report', 1, n from numbers),
  key as (
    insert into idempotency_keys (user_id, key, request, case_id) select 1 + n / 10, n, n, n from numbers),
  job as (
    insert into outbox (name, payload, available_at, failed_at, failure)
    select 'encode-video', jsonb_build_object('video_id', n), now() + interval '1 day',
      case when n % 20 = 0 then now() end, case when n % 20 = 0 then 'x' end
    from numbers where n % 10 = 0)
  insert into sessions (id, case_id, name, encoding_state_id, script_state_id, analyze_state_id, video_id, rendition_id,
    script_version_id, report_version_id)
  select n, n, 'x', 3, 3, 3, n, n, n, n from numbers`

/** What their encodes left. */
const fillEncodes = sql`
  with numbers as materialized (
    select n, 'LOCAL/' || n || '/' || n || '/' as folder from generate_series(1, ${sessionRows}::int) n),
  plan as (insert into encode_plans (video_id, plan, seconds, target_seconds) select n, '{}', 1, 1 from numbers),
  chunk as (
    insert into chunks (id, video_id, kind, index, from_seconds, to_seconds, state)
    select n, n, 'picture', 0, 0, 1, 'encoded' from numbers),
  file as (
    insert into chunk_files (chunk_id, rung, path, size, etag, header_bytes, header_hash, codec, width, height, segments)
    select n, 'upper', folder || 'chunk', 1, n, 1, '', '', 2, 2, '[]' from numbers),
  rung as (
    insert into rungs (video_id, rung, path, size, etag, codec, width, height, parts)
    select n, 'upper', folder || 'rung', 1, n, '', 2, 2, '[]' from numbers)
  insert into previews (video_id, poster_path, poster_size, poster_etag, storyboard_path, storyboard_size,
      storyboard_etag, storyboard)
    select n, folder || 'poster', 1, n, folder || 'storyboard', 1, n, '{}' from numbers`

/** What is kept of what was deleted, changed and given up. */
const fillTraces = sql`
  with numbers as materialized (select n from generate_series(1, ${sessionRows}::int) n),
  erasure as (
    insert into erasures (user_id, case_id, receipt) select 1 + n / 10, n + ${sessionRows}::int, 'x' from numbers),
  change as (
    insert into session_changes (user_id, case_id, session_id, created_at)
    select 1 + n / 10, n, n, now() - make_interval(hours => case when n <= 2000 then 25 else 1 end) from numbers)
  insert into outbox (name, payload, failed_at, failure)
  select 'send-webhook', jsonb_build_object('user_id', 1 + n / 10, 'case_id', n, 'session_id', n), now(), 'x' from numbers`

/** The tables that have a row for each session, or for each tenth. */
const filled = sql`relname in ('cases', 'sessions', 'videos', 'renditions', 'audio_renditions', 'script_versions',
  'report_versions', 'idempotency_keys', 'outbox', 'encode_plans', 'chunks', 'chunk_files', 'rungs', 'previews', 'erasures',
  'session_changes')`

/** Fills the tables of the database at this URL, and forgets what was read of them. */
export async function fillSessions(url: string): Promise<void> {
  // Without the limits of the services: on a busy machine each of these statements takes half a minute.
  const client = postgres(url, { max: 1, onnotice: () => {} })
  const db = drizzle(client, { casing: 'snake_case' })
  await db.transaction(async (tx) => {
    // Without triggers and foreign keys, which would take most of the time.
    await tx.execute(sql`set local session_replication_role = replica`)
    await tx.execute(fill)
    await tx.execute(fillEncodes)
    await tx.execute(fillTraces)
    for (const table of ['cases', 'sessions', 'videos', 'chunks']) {
      await tx.execute(sql`select setval(${`${table}_id_seq`}, ${sessionRows})`)
    }
    // One encode is under way and one analysis is still to be done. Their jobs are announced, and not yet due.
    await tx.execute(sql`update videos set state = 'encoding', lease_until = now() + interval '1 day' where id = 1`)
    await tx.execute(sql`update sessions set analyze_state_id = 1 where id = 2`)
    await tx.execute(sql`insert into outbox (name, payload, available_at) values
      ('encode-video', '{"video_id": 1}', 'tomorrow'), ('analyse-script', '{"script_version_id": 2}', 'tomorrow')`)
  })
  await db.execute(sql`vacuum analyze`)
  await db.execute(sql`select pg_stat_reset_single_table_counters(relid) from pg_stat_user_tables where ${filled}`)
  await client.end()
}

/** The tables of these that were read whole, and how often. */
export const wholeReads = (db: Database) =>
  db.execute<{ relname: string; seq_scan: string }>(
    sql`select relname, seq_scan from pg_stat_user_tables where ${filled} and seq_scan > 0`,
  )
