import { randomBytes } from 'node:crypto'

/**
 * The only place that composes object keys: from the phase, ids and a random part, never from a name a person typed.
 * Database columns hold a key without its first folder; `inFolder` adds it back.
 *
 * Ids are consecutive, so a key of ids alone can be guessed. 128 random bits make that impossible. Keys of older
 * versions have none; they are read, swept and erased like the others.
 */

export type Folder = 'video' | 'script' | 'analyze_report'

/** Deployment stage, the second folder of every key. */
export type Phase = 'LOCAL' | 'ALPHA' | 'RELEASE'

export const folders: readonly Folder[] = ['video', 'script', 'analyze_report']

/** A session's place below each first folder; ends with a slash, so session 1 is no prefix of session 10. */
const sessionPath = (phase: Phase, caseId: number, sessionId: number) => `${phase}/${caseId}/${sessionId}/`

/** The full object key of a column's value. */
export const inFolder = (folder: Folder, path: string) => `${folder}/${path}`

/** The random part, in lower case: some file systems take upper and lower case for the same. */
const random = () => randomBytes(16).toString('hex')

/** Column value of a new original; another one at each call. */
export const originalPath = (phase: Phase, caseId: number, sessionId: number, videoId: number) =>
  `${sessionPath(phase, caseId, sessionId)}${videoId}-${random()}.mp4`

/** Column value of the rendition that one encode attempt writes; its random part is the original's. */
export const renditionPath = (originalPath: string, attempt: number) =>
  originalPath.replace(/([^/]+)\.mp4$/, `encoded_$1-${attempt}.mp4`)

/** Column value of the sound alone, which the same attempt writes. */
export const audioPath = (originalPath: string, attempt: number) =>
  originalPath.replace(/([^/]+)\.mp4$/, `audio_$1-${attempt}.m4a`)

/** Names of what an encode writes, of originals and of versions; the random part may be missing. */
const mayBeRandom = '(?:-[0-9a-f]{32})?'
const ofEncode = new RegExp(`/(?:encoded|audio)_(\\d+)${mayBeRandom}-(\\d+)\\.(?:mp4|m4a)$`)
const ofSession = new RegExp(
  `^[A-Z]+/(\\d+)/(\\d+)/(?:(\\d+)${mayBeRandom}\\.mp4|encoded_(\\d+)${mayBeRandom}-\\d+\\.mp4` +
    `|audio_(\\d+)${mayBeRandom}-\\d+\\.m4a|(?:script|analyze_report)_v\\d+${mayBeRandom}\\.json)$`,
)

/** The video and the attempt that a column value of what an encode writes names; undefined for any other value. */
export function attemptOf(path: string): { videoId: number; attempt: number } | undefined {
  const [, videoId, attempt] = ofEncode.exec(path) ?? []
  return videoId && attempt ? { videoId: Number(videoId), attempt: Number(attempt) } : undefined
}

/** The ids that a column's value holds, no video of a script or report; undefined for what is nothing of ours. */
export function idsOf(path: string): { caseId: number; sessionId: number; videoId: number } | undefined {
  const [match, caseId, sessionId, original, encoded, audio] = ofSession.exec(path) ?? []
  if (match === undefined) return undefined
  return { caseId: Number(caseId), sessionId: Number(sessionId), videoId: Number(original ?? encoded ?? audio ?? 0) }
}

/** Column value of a new version of a script; another one at each call. */
export const scriptPath = (phase: Phase, caseId: number, sessionId: number, version: number) =>
  `${sessionPath(phase, caseId, sessionId)}script_v${version}-${random()}.json`

/** Column value of a new version of an analysis report; another one at each call. */
export const reportPath = (phase: Phase, caseId: number, sessionId: number, version: number) =>
  `${sessionPath(phase, caseId, sessionId)}analyze_report_v${version}-${random()}.json`

/** Prefixes under which everything of a case, or of one of its sessions, lies. */
export const prefixesOf = (phase: Phase, caseId: number, sessionId: number | null) =>
  folders.map((folder) =>
    inFolder(folder, sessionId === null ? `${phase}/${caseId}/` : sessionPath(phase, caseId, sessionId)),
  )

/** Key of the object that names the installation to which all objects of this phase belong. */
export const installationKey = (phase: Phase) => `installation/${phase}`
