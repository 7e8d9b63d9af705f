import type postgres from 'postgres'

const hash = (n: string) => `md5((${n})::text)`
const etag = (n: string) => `'"' || ${hash(n)} || '"'`

/**
 * Gives each second session a recording with all that is made of it, each eighth four versions of a script, and each fourth a
 * report. Ids are those of the sessions, and twice the number of the version for scripts. No object is in the store.
 */
export async function fillFiles(sql: postgres.Sql): Promise<void> {
  const path = (folder: string, name: string) => `'LOCAL/' || case_id || '/' || id || '/${folder}' || ${name}`
  const recorded = 'from sessions where id % 2 = 0'
  const original = path('', `id || '-' || ${hash('id')} || '.mp4'`)
  const made = (kind: string, end: string) => path(`${kind}_`, `id || '-' || ${hash('id')} || '-${end}'`)
  const fills = [
    `insert into videos (id, session_id, state, path, file_name, container, size, etag, attempt, progress, created_at, stored_at)
      select id, id, 'encoded', ${original}, 'session.mp4', 'mp4', 3000000000, ${etag('id')}, 1, 100, created_at, created_at ${recorded}`,
    `insert into renditions (id, session_id, video_id, path, size, etag, duration_ms, width, height, created_at)
      select id, id, id, ${made('encoded', '1.mp4')}, 700000000, ${etag('-id')}, 3000000, 1280, 720, created_at ${recorded}`,
    `insert into audio_renditions (video_id, path, size, etag)
      select id, ${made('audio', '1-1.m4a')}, 9000000, ${etag('id + 7')} ${recorded}`,
    `insert into encode_plans (video_id, plan, seconds, target_seconds, created_at)
      select id, '{"plan": "of the worker"}', 3000, 4, created_at ${recorded}`,
    `insert into rungs (video_id, rung, path, size, etag, codec, width, height, parts, created_at)
      select id, quality::rung, ${path('rung_', `id || '-' || ${hash('id')} || '-1-' || quality || '.mp4'`)}, 600000000,
        ${etag('id + 9')}, 'avc1.640028', 1280, 720, '[{"start": 0, "headerBytes": 800, "segments": [[4, 800000]]}]', created_at
      from sessions, unnest(array['upper', 'sound']) as quality where id % 2 = 0`,
    `insert into previews (video_id, poster_path, poster_size, poster_etag, storyboard_path, storyboard_size, storyboard_etag, storyboard)
      select id, ${made('poster', '1.jpg')}, 60000, ${etag('id + 11')}, ${made('storyboard', '1.jpg')}, 400000, ${etag('id + 13')},
        '{"columns": 10, "rows": 10, "width": 160, "height": 90, "seconds": 30, "tiles": 100}' ${recorded}`,
    `insert into script_versions (id, session_id, version, state, path, size, etag, user_id, checksum, created_at)
      select sessions.id / 2 - 4 + version, sessions.id, version, 'stored',
        'LOCAL/' || case_id || '/' || sessions.id || '/script_v' || version || '-' || ${hash('sessions.id + version')} || '.json',
        90000, ${etag('sessions.id + version')}, cases.user_id, ${hash('sessions.id')} || ${hash('version')}, sessions.created_at
      from sessions join cases on cases.id = case_id, generate_series(1, 4) as version where sessions.id % 8 = 0`,
    `insert into report_versions (id, session_id, version, state, path, size, etag, levels, created_at)
      select id, id, 1, 'stored', ${path('analyze_report_v1-', `${hash('id')} || '.json'`)}, 9000, ${etag('id + 17')},
        '[["Emotion Reflection", 2], ["Questioning", 1], ["Behavior Tracking", 3]]', created_at from sessions where id % 4 = 0`,
  ]
  for (const statement of fills) await sql.unsafe(statement)
}
