import { type SQL, sql } from 'drizzle-orm'
import {
  type AnyPgColumn,
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  type PgTableExtraConfigValue,
  pgEnum,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'
import { id, instant } from './columns.ts'
import type { JobName, JobPayloads } from './jobs.ts'

/**
 * The five states of encoding, script and analysis, as numbers of the contract ("States" in services/contract.md). The
 * triggers of `migrations/0003_transitions.sql` refuse wrong changes of the state of sessions, videos and versions;
 * packages/architecture.md has a picture of the right ones.
 */
export const State = { READY: 1, START: 2, DONE: 3, ERROR: 4, NONE: 5 } as const

const state = () => smallint().notNull().default(State.NONE)

/** A child in therapy. `userId` is the only therapist who may see it. */
export const cases = pgTable(
  'cases',
  {
    id: id(),
    userId: integer().notNull(),
    givenName: text().notNull(),
    familyName: text(),
    description: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    caseStateId: smallint().notNull().default(1),
    createdAt: instant().notNull().defaultNow(),
    updatedAt: instant().notNull().defaultNow(),
    /** The text that is searched for a keyword. The database generates it, also for processes of older releases. */
    searchText: text().generatedAlwaysAs(
      (): SQL => sql`case_search_text(${cases.givenName}, ${cases.familyName}, ${cases.description})`,
    ),
  },
  (t) => [
    index('cases_user_id_id_index').on(t.userId, t.id),
    check('cases_user_id_positive', sql`${t.userId} > 0`),
    check('cases_case_state_id_known', sql`${t.caseStateId} between 1 and 3`),
    check('cases_description_object', sql`jsonb_typeof(${t.description}) = 'object'`),
  ],
)

/**
 * One appointment of a case. Its four pointers name the current video, rendition, script and report. Composite keys keep a
 * pointer inside its own session.
 */
export const sessions = pgTable(
  'sessions',
  {
    id: id(),
    caseId: integer()
      .notNull()
      .references(() => cases.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    sessionStateId: smallint().notNull().default(1),
    encodingStateId: state(),
    scriptStateId: state(),
    analyzeStateId: state(),
    /** `HH:MM:SS`, from the client or else from the worker. */
    videoLength: text(),
    /** The video whose length a client set, or 0 for the next recording; null when the worker measured the length. */
    videoLengthSetFor: integer(),
    /** The length that was replaced last by that of another recording. Clients that read it may still send it back. */
    previousVideoLength: text(),
    videoId: integer(),
    renditionId: integer(),
    scriptVersionId: integer(),
    reportVersionId: integer(),
    /** Highest number reserved so far. A failed save leaves a gap; no number is used twice. */
    lastScriptVersion: integer().notNull().default(0),
    lastReportVersion: integer().notNull().default(0),
    createdAt: instant().notNull().defaultNow(),
  },
  (t): PgTableExtraConfigValue[] => [
    index('sessions_case_id_id_index').on(t.caseId, t.id),
    // For the announcer of analyses.
    index('sessions_without_report_index')
      .on(t.id)
      .where(sql`${t.scriptVersionId} is not null and ${t.analyzeStateId} <> 3`),
    check('sessions_session_state_id_known', sql`${t.sessionStateId} between 1 and 5`),
    check('sessions_encoding_state_id_known', sql`${t.encodingStateId} between 1 and 5`),
    check('sessions_script_state_id_known', sql`${t.scriptStateId} between 1 and 5`),
    check('sessions_analyze_state_id_known', sql`${t.analyzeStateId} between 1 and 5`),
    check('sessions_video_length_format', sql`${t.videoLength} ~ '^[0-9]{2,3}:[0-5][0-9]:[0-5][0-9]$'`),
    check('sessions_playable_when_done', sql`${t.encodingStateId} <> 3 or ${t.renditionId} is not null`),
    foreignKey({ columns: [t.videoId, t.id], foreignColumns: [videos.id, videos.sessionId] }),
    foreignKey({ columns: [t.renditionId, t.id], foreignColumns: [renditions.id, renditions.sessionId] }),
    foreignKey({ columns: [t.scriptVersionId, t.id], foreignColumns: [scriptVersions.id, scriptVersions.sessionId] }),
    foreignKey({ columns: [t.reportVersionId, t.id], foreignColumns: [reportVersions.id, reportVersions.sessionId] }),
  ],
)

/**
 * presigned: a URL was given out · receiving: the upload is running · stored: the original is durable and its encode
 * announced · encoding · encoded · failed (`failure` says why, in plain words) · superseded: a newer video is current.
 */
export const videoState = pgEnum('video_state', [
  'presigned',
  'receiving',
  'stored',
  'encoding',
  'encoded',
  'failed',
  'superseded',
])

/** The accepted formats of originals, by their first bytes: `mp4` is all of ISO-BMFF and QuickTime, `matroska` is WebM, too. */
export const container = pgEnum('container', ['mp4', 'matroska', 'mpegts', 'mpegps', 'avi'])
export type Container = (typeof container.enumValues)[number]

/** One uploaded recording of a session. The one with the highest id is current. */
export const videos = pgTable(
  'videos',
  {
    id: id(),
    sessionId: integer()
      .notNull()
      .references((): AnyPgColumn => sessions.id, { onDelete: 'cascade' }),
    state: videoState().notNull(),
    /** Object key of the original without its first folder. */
    path: text().notNull().unique(),
    /** The client's file name; it is never part of a key or path. */
    fileName: text(),
    container: container(),
    size: bigint({ mode: 'number' }),
    /** The ETag when the video was announced; every later read demands it. */
    etag: text(),
    /** Encode attempts so far; only the attempt with this number may commit. */
    attempt: integer().notNull().default(0),
    /** Percent of the current encode. */
    progress: smallint().notNull().default(0),
    /** Bytes that have arrived of an upload through the service; null for others, and in rows older than this column. */
    received: bigint({ mode: 'number' }),
    failure: text(),
    /**
     * While receiving, encoding or being announced: the process counts as dead after this time, unless it renews the
     * lease. A failed upload is forgotten an hour after it.
     */
    leaseUntil: instant(),
    createdAt: instant().notNull().defaultNow(),
    storedAt: instant(),
  },
  (t) => [
    index('videos_session_id_id_index').on(t.sessionId, t.id),
    // For the reaper. The lease is not part of it, because it is renewed often.
    index('videos_unfinished_index').on(t.id).where(sql`${t.state} in ('receiving', 'stored', 'encoding')`),
    index('videos_failed_upload_index').on(t.id).where(sql`${t.state} = 'failed' and ${t.storedAt} is null`),
    // For the check whether an upload is a copy of another object.
    index('videos_etag_index').on(t.etag),
    unique('videos_id_session_id_unique').on(t.id, t.sessionId),
    check('videos_progress_percent', sql`${t.progress} between 0 and 100`),
    check(
      'videos_durable_is_described',
      sql`${t.state} in ('presigned', 'receiving', 'failed')
        or (${t.size} > 0 and ${t.etag} is not null and ${t.container} is not null and ${t.storedAt} is not null)`,
    ),
    check('videos_failed_says_why', sql`(${t.state} = 'failed') = (${t.failure} is not null)`),
  ],
)

/**
 * An upload by tus, which may come in several requests. Its video is made with it, and its lease is the upload's expiry. The
 * row stays until then, also when the recording is durable, so that a client whose last response was lost finds that out.
 */
export const tusUploads = pgTable(
  'tus_uploads',
  {
    /** Part of the URL of the upload. */
    id: uuid().primaryKey(),
    videoId: integer()
      .notNull()
      .unique('tus_uploads_video_id_unique')
      .references(() => videos.id, { onDelete: 'cascade' }),
    /** Bytes of the whole recording; null as long as the client has not told. */
    length: bigint({ mode: 'number' }),
    /** The header `Upload-Metadata`, as it was sent. */
    metadata: text(),
    /** The object store's id of the upload, once it has bytes. */
    storeId: text(),
    /** Bytes of the first request: of a client that sends pieces, all but the last have as many, and parts end with them. */
    requestBytes: bigint({ mode: 'number' }),
    /** Bytes of all parts. With those of the tail they are the offset: bytes that are never asked for again. */
    partsBytes: bigint({ mode: 'number' }).notNull().default(0),
    nextPart: integer().notNull().default(1),
    /** The name of the object of bytes that are too few for a part. */
    tail: text(),
    tailBytes: integer().notNull().default(0),
    /** The first bytes in base64, until there are enough of them to tell the container. */
    start: text().notNull().default(''),
    container: container(),
    /** The request that writes, and until when it counts as alive, unless it renews this. */
    holder: uuid(),
    heldUntil: instant(),
    /** Whether another request waits for the holder to end. */
    isWanted: boolean().notNull().default(false),
    expiresAt: instant().notNull(),
  },
  (t) => [
    // For the reaper.
    index('tus_uploads_expires_at_index').on(t.expiresAt),
    check('tus_uploads_has_no_more_than_its_length', sql`${t.partsBytes} + ${t.tailBytes} <= ${t.length}`),
    check('tus_uploads_tail_has_bytes', sql`(${t.tail} is null) = (${t.tailBytes} = 0)`),
    check('tus_uploads_held_has_end', sql`(${t.holder} is null) = (${t.heldUntil} is null)`),
  ],
)

/** A part of an upload by tus that the object store has. */
export const tusParts = pgTable(
  'tus_parts',
  {
    uploadId: uuid()
      .notNull()
      .references(() => tusUploads.id, { onDelete: 'cascade' }),
    /** From 1. */
    number: integer().notNull(),
    size: integer().notNull(),
    etag: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.uploadId, t.number] })],
)

/** The encoded output of a video, from the attempt that committed. */
export const renditions = pgTable(
  'renditions',
  {
    id: id(),
    sessionId: integer().notNull(),
    videoId: integer().notNull().unique('renditions_video_id_unique'),
    path: text().notNull().unique(),
    size: bigint({ mode: 'number' }).notNull(),
    etag: text().notNull(),
    durationMs: integer().notNull(),
    width: integer().notNull(),
    height: integer().notNull(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    unique('renditions_id_session_id_unique').on(t.id, t.sessionId),
    index('renditions_etag_index').on(t.etag),
    foreignKey({ columns: [t.videoId, t.sessionId], foreignColumns: [videos.id, videos.sessionId] }).onDelete(
      'cascade',
    ),
  ],
)

/** pending: the number is reserved, the object not yet stored · stored: readable. */
export const versionState = pgEnum('version_state', ['pending', 'stored'])

const versionColumns = () => ({
  id: id(),
  sessionId: integer()
    .notNull()
    .references(() => sessions.id, { onDelete: 'cascade' }),
  version: integer().notNull(),
  state: versionState().notNull().default('pending'),
  /** Object key without its first folder. */
  path: text().notNull().unique(),
  size: integer().notNull(),
  etag: text(),
  createdAt: instant().notNull().defaultNow(),
})

/** What in the worker makes script versions. */
export type ScriptMaker = 'transcriber' | 'starter'

/** One save of a session's script; never changed afterwards. */
export const scriptVersions = pgTable(
  'script_versions',
  {
    ...versionColumns(),
    /** The therapist who saved it, or whose case it is where a worker made it. */
    userId: integer().notNull(),
    /** What in the worker made it; null for a therapist, and in older rows. `starter` is an empty first version. */
    madeBy: text().$type<ScriptMaker>(),
    /** SHA-256 of its bytes, in hex; null in rows older than this column. */
    checksum: text(),
    /** The first hundred doubtful times. */
    warnings: jsonb().$type<ScriptWarning[]>().notNull().default([]),
  },
  (t) => [
    unique('script_versions_session_id_version_unique').on(t.sessionId, t.version),
    unique('script_versions_id_session_id_unique').on(t.id, t.sessionId),
    index('script_versions_pending_index').on(t.id).where(sql`${t.state} = 'pending'`),
    check('script_versions_version_positive', sql`${t.version} > 0`),
    check('script_versions_stored_has_etag', sql`${t.state} = 'pending' or ${t.etag} is not null`),
  ],
)

/**
 * Some consecutive records of a script version, for the search. The first search after a save writes them, and removes
 * those of older versions. They are a derived copy, and may be deleted at any time.
 */
export const scriptPages = pgTable(
  'script_pages',
  {
    scriptVersionId: integer()
      .notNull()
      .references(() => scriptVersions.id, { onDelete: 'cascade' }),
    firstRecord: integer().notNull(),
    /** The texts as `fold` returns them, one line each. */
    folded: text().notNull(),
    /** Which `fold` it was: `folding`, or 1 where an older release wrote the row. */
    folding: smallint().notNull().default(1),
    records: jsonb().$type<PageRecord[]>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.scriptVersionId, t.firstRecord] })],
)

/** The number of today's `fold`. Search pages of another one are made anew by the next search. */
export const folding = 2

/** The parts of a record that a search shows; times are as sent. */
export interface PageRecord {
  start_time: string | null
  end_time: string | null
  speaker: string
  text: string
}

/** One analysis report of a session; never changed afterwards. */
export const reportVersions = pgTable(
  'report_versions',
  {
    ...versionColumns(),
    /** The script that was scored; null when there was none, and in rows older than this column. */
    scriptVersionId: integer(),
    /** Level of each category, in the order of the report; null in rows older than this column. */
    levels: jsonb().$type<[category: string, level: number][]>(),
  },
  (t) => [
    unique('report_versions_session_id_version_unique').on(t.sessionId, t.version),
    unique('report_versions_id_session_id_unique').on(t.id, t.sessionId),
    index('report_versions_pending_index').on(t.id).where(sql`${t.state} = 'pending'`),
    check('report_versions_version_positive', sql`${t.version} > 0`),
    check('report_versions_stored_has_etag', sql`${t.state} = 'pending' or ${t.etag} is not null`),
    foreignKey({
      columns: [t.scriptVersionId, t.sessionId],
      foreignColumns: [scriptVersions.id, scriptVersions.sessionId],
    }),
  ],
)

/** A doubtful time in a script: index of the record, and field. */
export interface ScriptWarning {
  record: number
  field: 'start_time' | 'end_time'
  /**
   * odd: no time (also the kind of warnings without one) · order: before the record above, or ends before it starts ·
   * beyond: after the video's end.
   */
  kind?: 'odd' | 'order' | 'beyond'
}

/**
 * Jobs, written in the transaction that makes them necessary. The relay publishes a row to the queue. It stays here until
 * the job has ended, because the queue may lose it. Then it is removed or, if the job failed, kept as a dead letter.
 */
export const outbox = pgTable(
  'outbox',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    name: text().$type<JobName>().notNull(),
    payload: jsonb().$type<JobPayloads[JobName]>().notNull(),
    requestId: text(),
    /** What continues the trace of its cause, as W3C Trace Context spells it. */
    traceparent: text(),
    availableAt: instant().notNull().defaultNow(),
    createdAt: instant().notNull().defaultNow(),
    publishedAt: instant(),
    /** Attempts so far, including those that ended with their process. */
    attempts: integer().notNull().default(0),
    /** When the job was given up, and why, for operators. */
    failedAt: instant(),
    failure: text(),
    /** Whether it was given up because of the recording or script itself, so that nothing of ours failed. */
    isRefused: boolean().notNull().default(false),
  },
  (t) => [
    index('outbox_due_index').on(t.availableAt, t.id).where(sql`${t.publishedAt} is null and ${t.failedAt} is null`),
    index('outbox_published_at_index').on(t.publishedAt).where(sql`${t.failedAt} is null`),
    // For the question whether a video or a script has a job.
    index('outbox_encodes_index')
      .on(sql`(${t.payload} ->> 'video_id')`)
      .where(sql`${t.name} in ('encode-video', 'encode-chunk', 'finish-video')`),
    index('outbox_analyse_script_index')
      .on(sql`(${t.payload} ->> 'script_version_id')`)
      .where(sql`${t.name} = 'analyse-script'`),
    // The order of the list of jobs that were given up, from its end on.
    index('outbox_dead_letters_index')
      .on(sql`(${t.name} <> 'send-webhook')`, sql`(not ${t.isRefused})`, t.id)
      .where(sql`${t.failedAt} is not null`),
    // For the removal of webhooks that were given up.
    index('outbox_dead_webhooks_index')
      .on(t.failedAt)
      .where(sql`${t.name} = 'send-webhook' and ${t.failedAt} is not null`),
    // For the same of one case.
    index('outbox_dead_webhooks_case_index')
      .on(sql`((${t.payload} ->> 'case_id')::int)`)
      .where(sql`${t.name} = 'send-webhook' and ${t.failedAt} is not null`),
    check('outbox_traceparent_shape', sql`${t.traceparent} ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$'`),
    check('outbox_failed_says_why', sql`(${t.failedAt} is null) = (${t.failure} is null)`),
  ],
)

/** For how long an Idempotency-Key is remembered. */
export const idempotencySeconds = 86_400

/**
 * A creating request with an Idempotency-Key: repeated within `idempotencySeconds`, it creates nothing. It is deleted with the case or
 * session that it created. Key and request are SHA-256 in hex, because a client may put anything into them.
 */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    userId: integer().notNull(),
    /** Of the path and the key. */
    key: text().notNull(),
    /** Of the body. */
    request: text().notNull(),
    caseId: integer().references(() => cases.id, { onDelete: 'cascade' }),
    sessionId: integer().references(() => sessions.id, { onDelete: 'cascade' }),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.key] }),
    index('idempotency_keys_case_id_index').on(t.caseId),
    index('idempotency_keys_session_id_index').on(t.sessionId),
    index('idempotency_keys_created_at_index').on(t.createdAt),
    check('idempotency_keys_made_one', sql`num_nonnulls(${t.caseId}, ${t.sessionId}) = 1`),
  ],
)

/** For how long a change of a session is remembered. */
export const changeSeconds = 86_400

/**
 * The last change of each session, for event streams. The triggers of `migrations/0021_session-changes.sql` and
 * `0022_last-changes.sql` replace its row when a transaction commits, whatever code or hand changed the session. The numbers become
 * visible in their order. It has no foreign keys, because it tells of deletions, too.
 */
export const sessionChanges = pgTable(
  'session_changes',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    userId: integer().notNull(),
    caseId: integer().notNull(),
    /** Null says that the case itself does not belong to this therapist any more. */
    sessionId: integer(),
    /** The clock when the number was taken, so that it rises with the numbers. */
    createdAt: instant().notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    index('session_changes_user_id_id_index').on(t.userId, t.id),
    index('session_changes_case_id_session_id_index').on(t.caseId, t.sessionId),
  ],
)

/** The one row that names this installation; the bucket that belongs to it carries the same name. */
export const installation = pgTable('installation', {
  id: uuid().primaryKey().defaultRandom(),
  /** Of changes of sessions up to this number, those that were old are forgotten. */
  changesForgotten: bigint({ mode: 'number' }).notNull().default(0),
  /** When a process last had event streams. Without any, progress is not notified. */
  streamsSeenAt: instant().notNull().default(sql`'-infinity'`),
  /** How long the audit trail is kept. Only the owner of the tables changes it. */
  auditYears: integer().notNull().default(6),
  /** Since when the oldest month of the audit trail could be dropped; null while it has to stay. */
  auditDueAt: instant(),
  /** A digest of the functions and the server that made the searched texts of all cases; null where that is not known. */
  foldedBy: text(),
})

/** Who asked for an erasure: the therapist, or the operator's command `retention`. */
export type ErasureAsker = 'therapist' | 'retention'

/**
 * A deleted case, session or video whose objects must be removed, and then the proof of it. It has no foreign keys, because
 * those rows are deleted, and holds ids only, because it is kept for good.
 */
export const erasures = pgTable(
  'erasures',
  {
    id: id(),
    /** Part of the URL of the erasure. */
    publicId: uuid().notNull().unique('erasures_public_id_unique').defaultRandom(),
    /** The therapist whose case it was; null in rows older than this column. */
    userId: integer(),
    askedBy: text().$type<ErasureAsker>().notNull().default('therapist'),
    /** The request that asked for it; null for a command, and in rows older than this column. */
    requestId: text(),
    caseId: integer().notNull(),
    sessionId: integer(),
    videoId: integer(),
    createdAt: instant().notNull().defaultNow(),
    /** When the removal at once had ended. */
    firstSweptAt: instant(),
    /** When the last removal had ended, after which nothing can come back. */
    lastSweptAt: instant(),
    /** Until when Object Lock keeps a version that could not be removed; it is removed after that. */
    lockedUntil: instant(),
    /** The signed proof, a compact JWS. */
    receipt: text(),
  },
  (t) => [
    index('erasures_user_id_id_index').on(t.userId, t.id),
    // For the sweep of orphans, which leaves alone what is being erased.
    index('erasures_pending_index').on(t.caseId).where(sql`${t.receipt} is null`),
  ],
)

/**
 * What a removal is about to remove, written before it does, so that a receipt names it also if the worker is killed in between.
 * The rows are deleted when the receipt has their hashes.
 */
export const erasedKeys = pgTable(
  'erased_keys',
  {
    erasureId: integer()
      .notNull()
      .references(() => erasures.id, { onDelete: 'cascade' }),
    /** 1 for the removal at once, 2 for the last one. */
    sweep: smallint().notNull(),
    /** SHA-256 of the object key, in hex. */
    hash: text().notNull(),
    /** Versions and delete markers of the object; 1 where the bucket keeps none, and 0 if there was only an upload. */
    versions: integer().notNull(),
    /** Bytes of all versions. */
    bytes: bigint({ mode: 'number' }).notNull(),
    /** Unfinished uploads, and what a presigned URL brought. */
    uploads: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.erasureId, t.sweep, t.hash] })],
)

/** Public halves of the keys that sign receipts. One stays for as long as there are receipts. */
export const receiptKeys = pgTable('receipt_keys', {
  /** The thumbprint of the key (RFC 7638), the `kid` of receipts. */
  kid: text().primaryKey(),
  /** The public key, `x` of its JWK (RFC 8037). */
  x: text().notNull(),
  createdAt: instant().notNull().defaultNow(),
})
