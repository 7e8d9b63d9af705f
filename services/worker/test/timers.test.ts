/** What a worker runs by the clock must not get slower with the number of sessions. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileStore } from '@playtherapy/object-store'
import { forkWorker, testDatabase, until } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { leaseOfVideo } from '../src/encode/video-repository.ts'

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

/** What their encodes left, by a statement of its own: one of all these rows is too long for a busy machine. */
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

/** Indexes that a round of each loop reads. */
const expected = [
  ...'audio_renditions_fresh_index sessions_without_report_index outbox_analyse_script_index'.split(' '),
  ...'videos_unfinished_index script_versions_pending_index report_versions_pending_index'.split(' '),
  ...'outbox_encodes_index outbox_due_index outbox_published_at_index'.split(' '),
  ...'idempotency_keys_created_at_index audio_renditions_path_unique chunk_files_path_unique'.split(' '),
  ...'rungs_path_unique previews_posterPath_unique previews_storyboardPath_unique chunks_pkey'.split(' '),
]

t.test('no statement on a timer reads a whole table', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-timers-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const { db, urls } = await testDatabase(t)
  await db.transaction(async (tx) => {
    // Without triggers and foreign keys, which would take most of the time.
    await tx.execute(sql`set local session_replication_role = replica`)
    await tx.execute(sql`set local statement_timeout = 0`)
    await tx.execute(fill)
    await tx.execute(fillEncodes)
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
  const filled = sql`relname in ('cases', 'sessions', 'videos', 'renditions', 'audio_renditions', 'script_versions',
    'report_versions', 'idempotency_keys', 'outbox', 'encode_plans', 'chunks', 'chunk_files', 'rungs', 'previews')`
  await db.execute(sql`select pg_stat_reset_single_table_counters(relid) from pg_stat_user_tables where ${filled}`)

  const objects = join(directory, 'objects')
  for (const orphan of ['encoded_1-1.mp4', 'chunk_1-1-1-upper.mp4']) {
    const store = createFileStore({ directory: objects })
    await store.put(`video/LOCAL/1/1/${orphan}`, Buffer.from('x'), { contentType: 'video/mp4' })
  }
  const worker = forkWorker(t, {
    DATABASE_URL: urls.worker,
    QUEUE_URL: urls.worker,
    FILE_STORE_DIRECTORY: objects,
    SCRATCH_DIRECTORY: join(directory, 'scratch'),
    ORPHAN_GRACE_SECONDS: '1',
    TRANSCRIBER_URL: 'http://127.0.0.1:1/v1',
    TRANSCRIBER_MODEL: 'ears',
    ANALYSER_URL: 'http://127.0.0.1:1/v1',
    ANALYSER_MODEL: 'judge',
  })
  const original = { path: '', size: 1, etag: '', container: 'mp4' } as const
  t.ok(await leaseOfVideo(db, { videoId: 1, sessionId: 1, attempt: 0, original, isEncoded: false }).renew(1))
  await until('a round of every loop', async () => {
    const read = await db.execute<{ name: string }>(
      sql`select indexrelname as name from pg_stat_user_indexes where idx_scan > 0`,
    )
    return expected.every((index) => read.some(({ name }) => name === index))
  })
  worker.kill('SIGTERM')
  await once(worker, 'exit')
  const scans = await db.execute(
    sql`select relname, seq_scan from pg_stat_user_tables where ${filled} and seq_scan > 0`,
  )
  t.strictSame([...scans], [])
})
