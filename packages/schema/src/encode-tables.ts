import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
} from 'drizzle-orm/pg-core'
import { id, instant } from './columns.ts'
import type { Part, Segments } from './rungs.ts'
import { videos } from './tables.ts'

/** The sound of a video for a transcriber, mono at 16 kHz, from the attempt that committed. */
export const audioRenditions = pgTable(
  'audio_renditions',
  {
    videoId: integer()
      .primaryKey()
      .references(() => videos.id, { onDelete: 'cascade' }),
    path: text().notNull().unique(),
    size: bigint({ mode: 'number' }).notNull(),
    etag: text().notNull(),
    /** True until the announcer has decided about a transcript; false in rows older than this column. */
    isFresh: boolean().notNull().default(false),
  },
  (t) => [
    index('audio_renditions_etag_index').on(t.etag),
    index('audio_renditions_fresh_index').on(t.videoId).where(sql`${t.isFresh}`),
  ],
)

/**
 * What an encode has found out about a video: it is written once, before the chunks. Videos of older releases, which were
 * encoded in one piece, have none.
 */
export const encodePlans = pgTable('encode_plans', {
  videoId: integer()
    .primaryKey()
    .references(() => videos.id, { onDelete: 'cascade' }),
  /** The worker's own description, which its jobs check when they read it. */
  plan: jsonb().$type<unknown>().notNull(),
  /** Length of the recording. */
  seconds: doublePrecision().notNull(),
  /** No segment of a playlist is longer, in seconds. */
  targetSeconds: integer().notNull(),
  createdAt: instant().notNull().defaultNow(),
})

/**
 * sound: the sound, or its first minute, or the rest · copy: the whole picture, copied as the upper rung · picture: some seconds of both rungs, from one
 * decode · lower: some seconds of the lower rung alone, beside a copy.
 */
export const chunkKind = pgEnum('chunk_kind', ['sound', 'copy', 'picture', 'lower'])
export type ChunkKind = (typeof chunkKind.enumValues)[number]

export const chunkState = pgEnum('chunk_state', ['waiting', 'encoding', 'encoded'])

/** One quality of the picture, or the sound. */
export const rung = pgEnum('rung', ['upper', 'lower', 'sound'])
export type Rung = (typeof rung.enumValues)[number]

/** A part of the encode of a video that one job does. Chunks are removed when the rungs are finished. */
export const chunks = pgTable(
  'chunks',
  {
    id: id(),
    videoId: integer()
      .notNull()
      .references(() => videos.id, { onDelete: 'cascade' }),
    kind: chunkKind().notNull(),
    /** From 0, within its kind. */
    index: integer().notNull(),
    /** Seconds from the beginning of the recording. */
    fromSeconds: doublePrecision().notNull(),
    toSeconds: doublePrecision().notNull(),
    state: chunkState().notNull().default('waiting'),
    /** Attempts so far; only the attempt with this number may commit. */
    attempt: integer().notNull().default(0),
    /** Percent of the current attempt. */
    progress: smallint().notNull().default(0),
    /** While encoding: the process counts as dead after this time, unless it renews the lease. */
    leaseUntil: instant(),
    /** Frames of the upper rung, or of the only one. */
    frames: integer(),
  },
  (t) => [
    unique('chunks_video_id_kind_index_unique').on(t.videoId, t.kind, t.index),
    check('chunks_progress_percent', sql`${t.progress} between 0 and 100`),
  ],
)

/** What one chunk made of one rung: an object with a header and segments. */
export const chunkFiles = pgTable(
  'chunk_files',
  {
    chunkId: integer()
      .notNull()
      .references(() => chunks.id, { onDelete: 'cascade' }),
    rung: rung().notNull(),
    path: text().notNull().unique(),
    size: bigint({ mode: 'number' }).notNull(),
    etag: text().notNull(),
    headerBytes: integer().notNull(),
    /** SHA-256 of the header, in hex. */
    headerHash: text().notNull(),
    /** As playlists name it (RFC 6381). */
    codec: text().notNull(),
    /** Pixels; 0 for sound. */
    width: integer().notNull(),
    height: integer().notNull(),
    segments: jsonb().$type<Segments>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.chunkId, t.rung] }), index('chunk_files_etag_index').on(t.etag)],
)

/** A finished rung of a video: one object. */
export const rungs = pgTable(
  'rungs',
  {
    videoId: integer()
      .notNull()
      .references(() => videos.id, { onDelete: 'cascade' }),
    rung: rung().notNull(),
    path: text().notNull().unique(),
    size: bigint({ mode: 'number' }).notNull(),
    etag: text().notNull(),
    codec: text().notNull(),
    width: integer().notNull(),
    height: integer().notNull(),
    parts: jsonb().$type<Part[]>().notNull(),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.videoId, t.rung] }), index('rungs_etag_index').on(t.etag)],
)

/** Still pictures of a video, which players show before it plays and above its timeline. */
export const previews = pgTable('previews', {
  videoId: integer()
    .primaryKey()
    .references(() => videos.id, { onDelete: 'cascade' }),
  posterPath: text().notNull().unique(),
  posterSize: integer().notNull(),
  posterEtag: text().notNull(),
  storyboardPath: text().notNull().unique(),
  storyboardSize: integer().notNull(),
  storyboardEtag: text().notNull(),
  storyboard: jsonb().$type<Storyboard>().notNull(),
  createdAt: instant().notNull().defaultNow(),
})

/** A sprite of small pictures, row by row. */
export interface Storyboard {
  columns: number
  rows: number
  /** Pixels of one tile. */
  width: number
  height: number
  /** Time from one tile to the next. */
  seconds: number
  tiles: number
}
