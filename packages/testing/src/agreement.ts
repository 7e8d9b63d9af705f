import type { ObjectStore } from '@playtherapy/object-store'
import type { Sql } from 'postgres'

export interface Disagreements {
  /** Objects that a row names and that do not exist. */
  lost: string[]
  /** Objects and unfinished uploads that no row names. */
  orphaned: string[]
  /** Rows that are not in a final state, and jobs that are due or have failed for good. */
  stuck: string[]
}

interface Row {
  path: string
  state: string
}

/** Returns where rows, objects and jobs disagree: three empty lists once every job is done. */
export async function disagreements(sql: Sql, store: ObjectStore): Promise<Disagreements> {
  // A failed upload left no object; its row only tells that it failed.
  const videos = await sql<Row[]>`
    select path, state::text from videos where state <> 'failed' or stored_at is not null`
  const made = await sql<Row[]>`
    select path, 'stored' as state from renditions
    union all select path, 'stored' from audio_renditions
    union all select path, 'stored' from chunk_files
    union all select path, 'stored' from rungs
    union all select unnest(array[poster_path, storyboard_path]), 'stored' from previews`
  const chunks = await sql<{ id: number; state: string }[]>`
    select chunks.id, chunks.state::text from chunks join videos on videos.id = video_id
    where chunks.state <> 'encoded' and videos.state <> 'superseded'`
  const scripts = await sql<Row[]>`select path, state::text from script_versions`
  const reports = await sql<Row[]>`select path, state::text from report_versions`
  const sessions = await sql<{ id: number; state: number }[]>`select id, encoding_state_id as state from sessions`
  const jobs = await sql<{ name: string; failure: string | null }[]>`
    select name, failure from outbox where available_at <= now() or failed_at is not null`

  const below = (folder: string, rows: Row[]) => rows.map(({ path, state }) => ({ key: `${folder}/${path}`, state }))
  const rows = [
    ...below('video', [...videos, ...made]),
    ...below('script', scripts),
    ...below('analyze_report', reports),
  ]
  const objects = new Set<string>()
  // What belongs to the installation and to no case: its marker, the key of receipts, and the heads of the audit trail.
  for await (const { key } of store.list('')) if (!/^(installation|audit)\//.test(key)) objects.add(key)
  const owned = new Set(rows.map(({ key }) => key))
  const orphaned = [...objects].filter((key) => !owned.has(key))
  for await (const { key } of store.unfinished('')) {
    if (!owned.has(key) && !key.startsWith('canary/')) orphaned.push(`${key}, unfinished`)
  }

  // The object of a presigned URL may exist or not.
  const needed = rows.filter(({ state }) => !['presigned', 'receiving', 'pending'].includes(state))
  const waiting = rows.filter(({ state }) => ['receiving', 'stored', 'encoding', 'pending', 'failed'].includes(state))
  const open = new Set(below('video', videos).map(({ key }) => key))
  return {
    lost: needed.filter(({ key }) => !objects.has(key)).map(({ key }) => key),
    orphaned,
    stuck: [
      ...waiting
        .filter(({ key, state }) => state === 'pending' || open.has(key))
        .map(({ key, state }) => `${key} is ${state}`),
      ...chunks.map(({ id, state }) => `chunk ${id} is ${state}`),
      ...sessions
        .filter(({ state }) => ![3, 5].includes(state))
        .map(({ id, state }) => `session ${id}: encoding ${state}`),
      ...jobs.map(({ name, failure }) => `job ${name}${failure ? `: ${failure}` : ''}`),
    ],
  }
}
