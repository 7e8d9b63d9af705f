/** The payload of every job: ids only, never data. Handlers read the current state. */
export interface JobPayloads {
  /** Plans the encode of a stored original, and announces its chunks. */
  'encode-video': { video_id: number }
  /** Encodes one chunk of a video. */
  'encode-chunk': { video_id: number; chunk_id: number }
  /** Joins chunks to rungs, makes the rendition and the previews, and removes chunks that are no longer needed. */
  'finish-video': { video_id: number }
  /** Lets the transcriber write a script of a video's sound. */
  'transcribe-video': { video_id: number }
  /** Lets the analyser write a report of a script version. */
  'analyse-script': { script_version_id: number }
  /** Removes older videos, once a newer one is encoded. */
  'delete-superseded': { session_id: number }
  /** Removes a presigned upload that was never completed. */
  'sweep-presigned': { video_id: number }
  /** Removes all objects of a deleted case or session. */
  erase: { erasure_id: number }
  /** Removes all objects of a deleted video. A worker of an older release would take `erase` for its whole session. */
  'erase-video': { erasure_id: number }
  /** Writes the file with all that is held of a case. */
  'export-case': { export_id: number }
  /** Makes one attempt to tell the receiver of webhooks of a session. */
  'send-webhook': { user_id: number; case_id: number; session_id: number }
}

export type JobName = keyof JobPayloads

/** Time until deleted objects are removed once more: uploads to earlier presigned URLs have ended by then. */
export const lastSweepSeconds = 25 * 3_600
