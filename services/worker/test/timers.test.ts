/** What a worker runs by the clock must not get slower with the number of sessions. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileStore } from '@playtherapy/object-store'
import { fillSessions, forkWorker, testDatabase, until, wholeReads } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { leaseOfVideo } from '../src/encode/video-repository.ts'

/** Indexes that a round of each loop reads. */
const expected = [
  ...'audio_renditions_fresh_index sessions_without_report_index outbox_analyse_script_index'.split(' '),
  ...'videos_unfinished_index script_versions_pending_index report_versions_pending_index'.split(' '),
  ...'outbox_encodes_index outbox_due_index outbox_published_at_index'.split(' '),
  ...'idempotency_keys_created_at_index audio_renditions_path_unique chunk_files_path_unique'.split(' '),
  'erasures_pending_index',
  ...'rungs_path_unique previews_posterPath_unique previews_storyboardPath_unique chunks_pkey'.split(' '),
]

t.test('no statement on a timer reads a whole table', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-timers-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const { db, url, urls } = await testDatabase(t)
  await fillSessions(url)

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
  t.strictSame([...(await wholeReads(db))], [])
})
