import { createHash } from 'node:crypto'
import {
  type Folder,
  inFolder,
  type ObjectStore,
  originalPath,
  type Phase,
  renditionPath,
  reportPath,
  scriptPath,
} from '@playtherapy/object-store'
import type { Container } from '@playtherapy/schema'
import { originalName, renditionName, reportName, type SessionDocument, scriptName } from '../export/format.ts'
import type { Archive } from './archive.ts'
import { readReport, readScript } from './limits.ts'

/** An object that was stored of a file. */
interface Stored {
  path: string
  size: number
  etag: string
}

interface StoredRecording {
  id: number
  original: Stored
  container: Container
  rendition: Stored | undefined
}

/** What was stored of a session, by ids of recordings and numbers of versions as they are in the file. */
export interface StoredSession {
  document: SessionDocument
  /** Its id here. */
  id: number
  recordings: Map<number, StoredRecording>
  scripts: Map<number, Stored & { checksum: string }>
  reports: Map<number, Stored>
}

interface Place {
  store: ObjectStore
  archive: Archive
  phase: Phase
  caseId: number
  /** Called with each key before its object is stored. */
  onKey: (key: string) => void
  /** Gives out the id of a recording. */
  nextVideoId: () => Promise<number>
}

/** Stores all files of a session under keys of its new ids, and compares each with its hash while it does. */
export async function storeSession(place: Place, document: SessionDocument, id: number): Promise<StoredSession> {
  const { store, archive, phase, caseId, onKey, nextVideoId } = place
  const put = async (folder: Folder, path: string, name: string, contentType: string): Promise<Stored> => {
    const key = inFolder(folder, path)
    onKey(key)
    return { path, ...(await store.put(key, archive.read(name), { contentType })) }
  }
  const stored: StoredSession = { document, id, recordings: new Map(), scripts: new Map(), reports: new Map() }
  for (const recording of document.recordings) {
    const name = originalName(document.id, recording.id, recording.container)
    const made = renditionName(document.id, recording.id)
    const [hasOriginal, hasRendition] = [archive.has(name), recording.rendition !== null && archive.has(made)]
    if (!hasOriginal && !hasRendition) continue
    const videoId = await nextVideoId()
    // Where the object store had lost the original, what was encoded of it is all that is left, and takes its place.
    const [source, container] = hasOriginal ? [name, recording.container] : [made, 'mp4' as const]
    const original = await put('video', originalPath(phase, caseId, id, videoId), source, 'video/mp4')
    const rendition =
      hasOriginal && hasRendition ? await put('video', renditionPath(original.path, 1), made, 'video/mp4') : undefined
    stored.recordings.set(recording.id, { id: videoId, original, container, rendition })
  }
  for (const { version } of document.scripts) {
    const name = scriptName(document.id, version, 'json')
    if (!archive.has(name)) continue
    const checksum = createHash('sha256')
      .update(await readScript(archive, name))
      .digest('hex')
    const object = await put('script', scriptPath(phase, caseId, id, version), name, 'application/json')
    stored.scripts.set(version, { ...object, checksum })
  }
  for (const { version } of document.reports) {
    const name = reportName(document.id, version)
    if (!archive.has(name)) continue
    await readReport(archive, name)
    stored.reports.set(
      version,
      await put('analyze_report', reportPath(phase, caseId, id, version), name, 'application/json'),
    )
  }
  return stored
}
