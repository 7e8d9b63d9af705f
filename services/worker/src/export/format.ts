import { type Static, type TSchema, Type } from 'typebox'

/**
 * The files of an export. The export writes these documents and the import checks them, so that both have one description. Names in the
 * file are made of ids and numbers only.
 */

/** Name and number of the format, in `manifest.json`. A reader refuses a higher number than it knows. */
export const formatName = 'playtherapy-case'
export const formatVersion = 1

export const manifestName = 'manifest.json'
export const caseName = 'case.json'
export const auditName = 'audit.jsonl'
export const readmeName = 'README.txt'
export const crateName = 'ro-crate-metadata.json'
export const pseudonymsName = 'pseudonyms.json'

const extensions = { mp4: 'mp4', matroska: 'mkv', mpegts: 'ts', mpegps: 'mpg', avi: 'avi' }
type Container = keyof typeof extensions

const folderOf = (sessionId: number) => `sessions/${sessionId}/`
export const sessionName = (sessionId: number) => `${folderOf(sessionId)}session.json`
export const originalName = (sessionId: number, videoId: number, container: Container) =>
  `${folderOf(sessionId)}recordings/${videoId}-original.${extensions[container]}`
export const renditionName = (sessionId: number, videoId: number) =>
  `${folderOf(sessionId)}recordings/${videoId}-rendition.mp4`
export const scriptName = (sessionId: number, version: number, kind: 'json' | 'vtt' | 'txt') =>
  `${folderOf(sessionId)}scripts/script_v${version}.${kind}`
export const reportName = (sessionId: number, version: number) =>
  `${folderOf(sessionId)}reports/report_v${version}.json`

/** Every name that a file in an export can have. */
export const knownName =
  /^(?:manifest\.json|case\.json|audit\.jsonl|README\.txt|ro-crate-metadata\.json|pseudonyms\.json|sessions\/\d{1,10}\/(?:session\.json|recordings\/\d{1,10}-(?:original\.(?:mp4|mkv|ts|mpg|avi)|rendition\.mp4)|scripts\/script_v\d{1,10}\.(?:json|vtt|txt)|reports\/report_v\d{1,10}\.json))$/

const id = Type.Integer({ minimum: 1, maximum: 2_147_483_647 })
const count = Type.Integer({ minimum: 0, maximum: 2_147_483_647 })
/** A number of a version, so small that there are numbers for all versions to come. */
const version = Type.Integer({ minimum: 1, maximum: 1_000_000 })
const lastVersion = Type.Integer({ minimum: 0, maximum: 1_000_000 })
/** The name of a file as a client sent it, of which an import makes what an upload makes. */
const fileName = Type.String({ maxLength: 16_384 })
/** Sentences of ours, in which names may have become codes. */
const failure = Type.Refine(Type.String({ maxLength: 1_000 }), (text) => !/\p{C}/u.test(text))
const clockTime = Type.String({ pattern: '^[0-9]{2,3}:[0-5][0-9]:[0-5][0-9]$' })
/** It is shown to an operator, and so has no signs but those of names in an export. */
const path = Type.String({ pattern: knownName.source })
/** Most files of an archive; an export has fewer. */
export const mostFiles = 100_000
/** Most warnings of a script version; the routes keep the first hundred. */
const mostWarnings = 100
const bytes = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** A moment since 1970 that the calendar has; JavaScript makes 2 March of 31 February. */
const moment = Type.Refine(
  Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' }),
  (text) => new Date(text).getTime() > 0 && new Date(text).toISOString() === text,
)
const state = Type.Integer({ minimum: 1, maximum: 5 })
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

export const Manifest = Type.Object({
  format: Type.Literal(formatName),
  version: Type.Integer({ minimum: 1 }),
  made_at: moment,
  case_id: id,
  without_media: Type.Boolean(),
  pseudonyms: Type.Boolean(),
  /** Every file but this one, with the SHA-256 of its bytes in hex. */
  files: Type.Array(Type.Object({ path, size: bytes, sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }), {
    maxItems: mostFiles,
  }),
  /** Files that are not here because the object store had lost or damaged them. */
  missing: Type.Array(Type.Object({ path }), { maxItems: mostFiles }),
})
export type Manifest = Static<typeof Manifest>

export const CaseDocument = Type.Object({
  id,
  given_name: Type.String(),
  family_name: orNull(Type.String()),
  description: Type.Record(Type.String(), Type.Unknown()),
  case_state_id: Type.Integer({ minimum: 1, maximum: 3 }),
  created_at: moment,
  updated_at: moment,
})
export type CaseDocument = Static<typeof CaseDocument>

const Recording = Type.Object({
  id,
  state: Type.Union([
    Type.Literal('stored'),
    Type.Literal('encoding'),
    Type.Literal('encoded'),
    Type.Literal('failed'),
    Type.Literal('superseded'),
  ]),
  file_name: orNull(fileName),
  container: Type.Union([
    Type.Literal('mp4'),
    Type.Literal('matroska'),
    Type.Literal('mpegts'),
    Type.Literal('mpegps'),
    Type.Literal('avi'),
  ]),
  size: bytes,
  failure: orNull(failure),
  created_at: moment,
  stored_at: moment,
  rendition: orNull(Type.Object({ size: bytes, duration_ms: count, width: count, height: count, created_at: moment })),
})

const ScriptVersion = Type.Object({
  version,
  size: count,
  made_by: orNull(Type.Union([Type.Literal('transcriber'), Type.Literal('starter')])),
  warnings: Type.Array(
    Type.Object({
      record: count,
      field: Type.Union([Type.Literal('start_time'), Type.Literal('end_time')]),
      kind: Type.Optional(Type.Union([Type.Literal('odd'), Type.Literal('order'), Type.Literal('beyond')])),
    }),
    { maxItems: mostWarnings },
  ),
  created_at: moment,
})

const ReportVersion = Type.Object({
  version,
  size: count,
  levels: orNull(
    Type.Array(Type.Tuple([Type.String({ maxLength: 200 }), Type.Integer({ minimum: -1, maximum: 4 })]), {
      maxItems: 100,
    }),
  ),
  /** The number of the script version that was scored. */
  script_version: orNull(version),
  created_at: moment,
})

export const SessionDocument = Type.Object({
  id,
  name: Type.String(),
  session_state_id: state,
  encoding_state_id: state,
  script_state_id: state,
  analyze_state_id: state,
  video_length: orNull(clockTime),
  /** The recording whose length a person set, 0 for the next one. */
  video_length_set_for: orNull(count),
  previous_video_length: orNull(clockTime),
  created_at: moment,
  last_script_version: lastVersion,
  last_report_version: lastVersion,
  /** What is current: ids of recordings, and numbers of versions. */
  current: Type.Object({
    recording: orNull(id),
    rendition_of: orNull(id),
    script_version: orNull(id),
    report_version: orNull(id),
  }),
  recordings: Type.Array(Recording),
  scripts: Type.Array(ScriptVersion),
  reports: Type.Array(ReportVersion),
})
export type SessionDocument = Static<typeof SessionDocument>
