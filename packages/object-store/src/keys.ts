/**
 * The only place that composes object keys: from the phase and ids, never from a name a person typed.
 * Database columns hold a key without its first folder (contract, decision 6); `inFolder` adds it back.
 */

export type Folder = 'video' | 'script' | 'analyze_report'

/** Deployment stage, the second folder of every key. */
export type Phase = 'LOCAL' | 'ALPHA' | 'RELEASE'

export const folders: readonly Folder[] = ['video', 'script', 'analyze_report']

/** A session's place below each first folder; ends with a slash, so session 1 is no prefix of session 10. */
const sessionPath = (phase: Phase, caseId: number, sessionId: number) => `${phase}/${caseId}/${sessionId}/`

/** The full object key of a column's value. */
export const inFolder = (folder: Folder, path: string) => `${folder}/${path}`

/** Column value of an original. */
export const originalPath = (phase: Phase, caseId: number, sessionId: number, videoId: number) =>
  `${sessionPath(phase, caseId, sessionId)}${videoId}.mp4`

/** Column value of the rendition that one encode attempt writes. */
export const renditionPath = (originalPath: string, attempt: number) =>
  originalPath.replace(/([^/]+)\.mp4$/, `encoded_$1-${attempt}.mp4`)

/** Column value of the sound alone, which the same attempt writes. */
export const audioPath = (originalPath: string, attempt: number) =>
  originalPath.replace(/([^/]+)\.mp4$/, `audio_$1-${attempt}.m4a`)

/** The video and the attempt that a column value of what an encode writes names; undefined for any other value. */
export function attemptOf(path: string): { videoId: number; attempt: number } | undefined {
  const [, videoId, attempt] = /\/(?:encoded|audio)_(\d+)-(\d+)\.(?:mp4|m4a)$/.exec(path) ?? []
  return videoId && attempt ? { videoId: Number(videoId), attempt: Number(attempt) } : undefined
}

/** The ids that a column's value holds, no video of a script or report; undefined for what is nothing of ours. */
export function idsOf(path: string): { caseId: number; sessionId: number; videoId: number } | undefined {
  const form =
    /^[A-Z]+\/(\d+)\/(\d+)\/(?:(\d+)\.mp4|encoded_(\d+)-\d+\.mp4|audio_(\d+)-\d+\.m4a|(?:script|analyze_report)_v\d+\.json)$/
  const [match, caseId, sessionId, original, encoded, audio] = form.exec(path) ?? []
  if (match === undefined) return undefined
  return { caseId: Number(caseId), sessionId: Number(sessionId), videoId: Number(original ?? encoded ?? audio ?? 0) }
}

/** Column value of one version of a script. */
export const scriptPath = (phase: Phase, caseId: number, sessionId: number, version: number) =>
  `${sessionPath(phase, caseId, sessionId)}script_v${version}.json`

/** Column value of one version of an analysis report. */
export const reportPath = (phase: Phase, caseId: number, sessionId: number, version: number) =>
  `${sessionPath(phase, caseId, sessionId)}analyze_report_v${version}.json`

/** Prefixes under which everything of a case, or of one of its sessions, lies. */
export const prefixesOf = (phase: Phase, caseId: number, sessionId: number | null) =>
  folders.map((folder) =>
    inFolder(folder, sessionId === null ? `${phase}/${caseId}/` : sessionPath(phase, caseId, sessionId)),
  )

/** Key of the object that names the installation to which all objects of this phase belong. */
export const installationKey = (phase: Phase) => `installation/${phase}`
