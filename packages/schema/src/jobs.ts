/** Every job there is and what it carries: ids only, never data. Handlers re-read the state. */
export interface JobPayloads {
  /** Makes the rendition of a stored original. */
  'encode-video': { video_id: number }
  /** Has the transcriber make a script of a video's sound. */
  'transcribe-video': { video_id: number }
  /** Has the analyser make a report of a script version. */
  'analyse-script': { script_version_id: number }
  /** Removes what a newer video replaced, once that one is encoded. */
  'delete-superseded': { session_id: number }
  /** Removes a presigned upload that was never announced. */
  'sweep-presigned': { video_id: number }
  /** Empties the object store below a deleted case or session. */
  erase: { erasure_id: number }
}

export type JobName = keyof JobPayloads

/**
 * Seconds after which the objects of a deleted case or session are removed once more: presigned URLs that were given out
 * before have expired by then, and their uploads have ended.
 */
export const lastSweepSeconds = 25 * 3_600
