/** The processes that have a database role of their own. Migrations run as the owner of the tables. */
export const roles = ['contents', 'media', 'script', 'worker'] as const
export type Role = (typeof roles)[number]

const heartbeat = 'insert, update (seen_at, scratch_free_bytes, scratch_bytes), delete'

/** What is written of an event. The database gives it its id and moment, so that nobody adds one to what is sealed. */
const event = 'insert (actor, user_id, action, kind, case_id, session_id, version, result, request_id, address)'

/** What every process does: readiness asks for the migrations, and heartbeats are rows of `processes`. */
const shared = {
  'drizzle.__drizzle_migrations': 'select (created_at)',
  processes: `select (id, seen_at), ${heartbeat}`,
  // Triggers write the events of changes as the role that makes them; nobody changes or deletes one.
  audit_events: event,
}

/** What an original changes of its session when it is registered. */
const registered = 'video_id, encoding_state_id, video_length_set_for'
/**
 * What an announcement changes of a video. Never its path: who can change that reads another therapist's object by a token of their own.
 */
const announced = 'state, lease_until, size, etag, container, stored_at'
/** What a new version changes of its session when it is saved. */
const [scripted, reported] = [
  'last_script_version, script_version_id, script_state_id, analyze_state_id',
  'last_report_version, report_version_id',
]
const lengths = 'video_length, previous_video_length'

/**
 * What each role may do with each table, as GRANT spells it; what is not here it may not do, once the processes of the release before
 * have ended (`roles.ts`). Tests run each service as its role, so that a statement without its right fails. A search page is read by the one
 * service that shows it, a child's name by that and by the worker that exports a case. Rows below a deleted one go by cascade, and triggers write
 * `session_changes`, both as the owner of the tables. A row is locked by who may change a column of it.
 */
export const rights: Record<Role, Record<string, string>> = {
  contents: {
    ...shared,
    audit_events: `select, ${event}`,
    // Never the therapist: who can change that has all of a case, its recordings and scripts too, by a token of their own.
    cases: 'select, insert, update (given_name, family_name, description, case_state_id, updated_at), delete',
    sessions: `select, insert, update (name, analyze_state_id, ${registered}, ${lengths}, ${reported}), delete`,
    videos: `select, update (${announced}, failure, progress)`,
    renditions: 'select',
    audio_renditions: 'select',
    encode_plans: 'select',
    chunks: 'select',
    chunk_files: 'select',
    rungs: 'select',
    previews: 'select',
    script_versions: 'select',
    report_versions: 'select, insert, update (state, etag), delete',
    outbox: 'select, insert, delete',
    webhooks: 'select, insert',
    idempotency_keys: 'select, insert, update',
    session_changes: 'select',
    installation: 'select, update (streams_seen_at)',
    erasures: 'select, insert',
    receipt_keys: 'select',
    recent_encodes: 'select',
    case_exports: 'select, insert (case_id, without_media, pseudonyms), delete',
    processes: `select, ${heartbeat}`,
  },
  media: {
    ...shared,
    cases: 'select (id, user_id)',
    sessions: `select, update (rendition_id, script_state_id, ${registered}, ${lengths})`,
    // A trigger compares the path of a new row with its session.
    videos: `select, insert, update (${announced}, failure, received), delete`,
    'sequence videos_id_seq': 'usage',
    tus_uploads: 'select, insert, update, delete',
    tus_parts: 'select, insert',
    renditions: 'select',
    encode_plans: 'select',
    chunks: 'select',
    chunk_files: 'select',
    rungs: 'select',
    previews: 'select',
    outbox: 'select (id), insert',
    case_exports: 'select',
    erasures: 'select (id, public_id), insert',
  },
  script: {
    ...shared,
    cases: 'select (id, user_id)',
    sessions: `select, update (${scripted})`,
    script_versions: 'select, insert, update (state, etag), delete',
    script_pages: 'select, insert, delete',
  },
  worker: {
    ...shared,
    audit_events: `select, ${event}`,
    'sequence audit_events_id_seq': 'select',
    // The sweep of orphans keeps objects whose ids the database has not given out; without this right it would keep all.
    'sequence cases_id_seq': 'select',
    'sequence sessions_id_seq': 'select',
    'sequence videos_id_seq': 'select',
    'sequence chunks_id_seq': 'select',
    audit_seals: 'select, insert',
    'function make_audit_partitions()': 'execute',
    'function drop_audit_partitions()': 'execute',
    // Retention locks a case, so that it stays finished until its recordings are erased.
    // An export has all that is held of a case.
    cases:
      'select (id, user_id, given_name, family_name, description, case_state_id, created_at, updated_at), update (updated_at)',
    sessions: `select, update (rendition_id, ${registered}, ${lengths}, ${scripted}, ${reported})`,
    videos: 'select, update, delete',
    tus_uploads: 'select, update, delete',
    tus_parts: 'select, insert',
    renditions: 'select, insert',
    audio_renditions: 'select, insert, update',
    encode_plans: 'select, insert, update, delete',
    chunks: 'select, insert, update, delete',
    chunk_files: 'select, insert',
    rungs: 'select, insert, delete',
    previews: 'select, insert, delete',
    script_versions: 'select, insert, update (state, etag), delete',
    report_versions: 'select, insert, update (state, etag), delete',
    outbox: 'select, insert, update, delete',
    webhooks: 'select, insert, update, delete',
    webhook_position: 'select, insert, update, delete',
    idempotency_keys: 'select, delete',
    session_changes: 'select, update (id), delete',
    installation: 'select, update (changes_forgotten)',
    erasures: 'select, insert, update (first_swept_at, last_swept_at, locked_until, receipt), delete',
    erased_keys: 'select, insert, update (versions, bytes, uploads), delete',
    receipt_keys: 'select, insert',
    recent_encodes: 'insert, select, delete',
    case_exports:
      'select, delete, update (state_id, attempt, progress, path, size, etag, missing, failure, lease_until, finished_at, expires_at)',
  },
}
