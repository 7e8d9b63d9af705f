import type { JobPayloads } from '@playtherapy/schema'

/** What the receiver is told of a session: states and numbers, no name and no text. */
export interface SessionState {
  session_state_id: number
  encoding_state_id: number
  script_state_id: number
  analyze_state_id: number
  /** Null without a recording. */
  video_state: string | null
  /** Null without a script. */
  script_version: number | null
  /** Null without a report. */
  report_version: number | null
}

/**
 * The body of a message: the event `session` of event streams, without all that is a name or a text. `state` is undefined for a
 * session that was deleted, or given to another therapist. `at` is by the clock of the database, which all workers share.
 */
export function bodyOf(whose: JobPayloads['send-webhook'], state: SessionState | undefined, at: Date): string {
  const { video_state, script_version, report_version, ...session } = state ?? {}
  const data = {
    ...whose,
    deleted: state === undefined,
    session: state ? session : null,
    video: video_state ? { state: video_state } : null,
    script: script_version ? { version: script_version } : null,
    report: report_version ? { version: report_version } : null,
  }
  return JSON.stringify({ type: 'session', timestamp: at.toISOString(), data })
}
