import { randomBytes } from 'node:crypto'

/**
 * The only place that composes object keys: from the phase, ids and a random part, never from a name that a person typed.
 * Database columns hold a key without its first folder; `inFolder` adds it. Ids are consecutive, so 128 random bits keep
 * anyone from guessing a key. Keys of older versions have none; they are read, swept and erased too.
 */

export type Folder = 'video' | 'script' | 'analyze_report' | 'export'

/** Deployment stage, the second folder of every key. */
export type Phase = 'LOCAL' | 'ALPHA' | 'RELEASE'

export const folders: readonly Folder[] = ['video', 'script', 'analyze_report', 'export']
/** The folders of what belongs to a session; exports belong to a case. */
const sessionFolders = folders.filter((folder) => folder !== 'export')

/**
 * A session's path below each first folder; the slash at its end keeps session 1 from being a prefix of session 10. The trigger
 * `path_of_session` demands it of every new video and version, so who changes it changes both.
 */
const sessionPath = (phase: Phase, caseId: number, sessionId: number) => `${phase}/${caseId}/${sessionId}/`

/** The object key of a column's value. */
export const inFolder = (folder: Folder, path: string) => `${folder}/${path}`

/** The random part, in lower case because some file systems ignore case. */
const random = () => randomBytes(16).toString('hex')

/** Column value of a new original; random at each call. */
export const originalPath = (phase: Phase, caseId: number, sessionId: number, videoId: number) =>
  `${sessionPath(phase, caseId, sessionId)}${videoId}-${random()}.mp4`

/** What is made of an original, by the first part of its name. */
type Made = 'encoded' | 'audio' | 'chunk' | 'rung' | 'poster' | 'storyboard'

/** The random part of what is made of an original is the original's. */
const made = (originalPath: string, kind: Made, suffix: string) =>
  originalPath.replace(/([^/]+)\.mp4$/, `${kind}_$1-${suffix}`)

/** Column value of the rendition of one attempt. */
export const renditionPath = (originalPath: string, attempt: number) => made(originalPath, 'encoded', `${attempt}.mp4`)

/** Column value of the sound for a transcriber, of one attempt at a chunk. */
export const audioPath = (originalPath: string, chunkId: number, attempt: number) =>
  made(originalPath, 'audio', `${chunkId}-${attempt}.m4a`)

/** Column value of a chunk's file of a rung, of one attempt at the chunk. */
export const chunkPath = (originalPath: string, chunkId: number, attempt: number, rung: string) =>
  made(originalPath, 'chunk', `${chunkId}-${attempt}-${rung}.mp4`)

/** Column value of a finished rung of one attempt. */
export const rungPath = (originalPath: string, attempt: number, rung: string) =>
  made(originalPath, 'rung', `${attempt}-${rung}.mp4`)

/** Column value of a still picture of one attempt. */
export const previewPath = (originalPath: string, attempt: number, kind: 'poster' | 'storyboard') =>
  made(originalPath, kind, `${attempt}.jpg`)

const mayBeRandom = '(?:-[0-9a-f]{32})?'
const makes: Made[] = ['encoded', 'audio', 'chunk', 'rung', 'poster', 'storyboard']
const numbers = '(?:-(\\d+))?-(\\d+)(?:-[a-z]+)?\\.(?:mp4|m4a|jpg)'
const ofAttempt = new RegExp(`/(?:${makes.join('|')})_(\\d+)${mayBeRandom}${numbers}$`)
const ofSession = new RegExp(
  `^[A-Z]+/(\\d+)/(\\d+)/(?:(\\d+)${mayBeRandom}\\.mp4|(?:${makes.join('|')})_(\\d+)${mayBeRandom}${numbers}` +
    `|(?:script|analyze_report)_v\\d+${mayBeRandom}\\.json)$`,
)

/** The column value of an export's file. */
const ofExport = /^[A-Z]+\/(\d+)\/\d+-[0-9a-f]{32}-\d+\.zip$/

/** Whose attempt an object is: that at a chunk, or else that at a video. */
export interface AttemptOf {
  videoId: number
  chunkId: number | undefined
  attempt: number
}

/** The attempt in the column value of an object that an attempt made; undefined for any other value. */
export function attemptOf(path: string): AttemptOf | undefined {
  const [, videoId, chunkId, attempt] = ofAttempt.exec(path) ?? []
  if (!videoId || !attempt) return undefined
  return { videoId: Number(videoId), chunkId: chunkId ? Number(chunkId) : undefined, attempt: Number(attempt) }
}

/**
 * The ids in a column's value; `videoId` is 0 for scripts and reports, and `sessionId`, too, for exports. Undefined for any value that is
 * not ours.
 */
export function idsOf(path: string): { caseId: number; sessionId: number; videoId: number } | undefined {
  const [, exported] = ofExport.exec(path) ?? []
  if (exported !== undefined) return { caseId: Number(exported), sessionId: 0, videoId: 0 }
  const [match, caseId, sessionId, original, ofOriginal] = ofSession.exec(path) ?? []
  if (match === undefined) return undefined
  return { caseId: Number(caseId), sessionId: Number(sessionId), videoId: Number(original ?? ofOriginal ?? 0) }
}

/** Column value of a new script version; random at each call. */
export const scriptPath = (phase: Phase, caseId: number, sessionId: number, version: number) =>
  `${sessionPath(phase, caseId, sessionId)}script_v${version}-${random()}.json`

/** Column value of a new report version; random at each call. */
export const reportPath = (phase: Phase, caseId: number, sessionId: number, version: number) =>
  `${sessionPath(phase, caseId, sessionId)}analyze_report_v${version}-${random()}.json`

/** Column value of the file of one attempt at an export; random at each call. */
export const exportPath = (phase: Phase, caseId: number, exportId: number, attempt: number) =>
  `${phase}/${caseId}/${exportId}-${random()}-${attempt}.zip`

/** Prefix of the keys of all exports of a case. */
export const exportsPrefix = (phase: Phase, caseId: number) => inFolder('export', `${phase}/${caseId}/`)

/** Prefixes of all keys of a case, of one of its sessions, or of one of the session's videos. */
export function prefixesOf(
  phase: Phase,
  caseId: number,
  sessionId: number | null,
  videoId: number | null = null,
): string[] {
  if (sessionId === null) return folders.map((folder) => inFolder(folder, `${phase}/${caseId}/`))
  const session = sessionPath(phase, caseId, sessionId)
  if (videoId === null) return sessionFolders.map((folder) => inFolder(folder, session))
  // What follows the id keeps video 1 from being a prefix of video 10. Originals of older versions have no random part.
  const names = [`${videoId}-`, `${videoId}.`, ...makes.map((kind) => `${kind}_${videoId}-`)]
  return names.map((name) => inFolder('video', session + name))
}

/**
 * Prefix, before the key, of what is kept in a bucket for an object that is not there yet: what a presigned URL brings until it
 * is adopted, and tails. It is below `video/`, where the access key of presigned URLs may write.
 */
const uploads = 'video/uploads/'
export const uploadKey = (key: string) => uploads + key
/** The key of a tail of an object that is stored in several calls. */
export const tailKey = (key: string, name: string) => `${uploads}${key}~${name}`
/** The key that `uploadKey` or `tailKey` was given; undefined for any other key. */
export const adoptedKey = (key: string) =>
  key.startsWith(uploads) ? key.slice(uploads.length).replace(/~.*$/, '') : undefined

/** Key of the object with the private key that signs receipts. */
export const receiptKeyKey = (phase: Phase) => `installation/${phase}-receipt-key`

/** Key of the object that names the installation of all objects of this phase. */
export const installationKey = (phase: Phase) => `installation/${phase}`

/** Prefix of the objects that have the hash of an event of the audit trail. */
export const auditHeadPrefix = (phase: Phase) => `audit/${phase}/`
const paddedId = (eventId: number) => String(eventId).padStart(16, '0')
/** Key of the one for this event. The hash keeps it from being that of another event with this id, after a restore of the database. */
export const auditHeadKey = (phase: Phase, eventId: number, hash: string) =>
  `${auditHeadPrefix(phase)}${paddedId(eventId)}-${hash.slice(0, 32)}.json`
/** The event of such a key; 0 for any other. */
export const eventOfHead = (key: string) => Number(/\/(\d{16})-[^/]*$/.exec(key)?.[1] ?? 0)

/** Prefix of the objects that say which hashes a restore of the database has left without their events. */
export const auditRestorePrefix = (phase: Phase) => `audit/restores/${phase}/`
/** Key of the one that names up to this event, at this moment. */
export const auditRestoreKey = (phase: Phase, eventId: number, at: Date) =>
  `${auditRestorePrefix(phase)}${paddedId(eventId)}-${at.getTime()}.json`
