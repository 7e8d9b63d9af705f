import { buffer } from 'node:stream/consumers'
import {
  type Folder,
  inFolder,
  ObjectChangedError,
  ObjectMissingError,
  type ObjectStore,
} from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { type ScriptRecord, scriptBytes, toText, toVtt } from '@playtherapy/versions/records'
import { reportBytes } from '@playtherapy/versions/report'
import { Value } from 'typebox/value'
import { exportEvents } from '../audit/export.ts'
import { checkCase, checkSession, isReport, isScript, passes } from '../import/limits.ts'
import { storedJson, storedScript } from '../stored-json.ts'
import { crateOf } from './crate.ts'
import {
  auditName,
  type CaseDocument,
  caseName,
  crateName,
  formatName,
  formatVersion,
  type Manifest,
  manifestName,
  originalName,
  pseudonymsName,
  readmeName,
  renditionName,
  reportName,
  SessionDocument,
  scriptName,
  sessionName,
} from './format.ts'
import { pseudonymsOf } from './pseudonyms.ts'
import { isKept, type ReadSession, readSession, type StoredScript, sessionIds } from './read-session.ts'
import { readmeOf } from './readme.ts'
import { bytesOf, type Entry } from './zip.ts'

export interface Exported {
  db: Database
  store: Pick<ObjectStore, 'get'>
  document: CaseDocument
  withoutMedia: boolean
  pseudonyms: boolean
  madeAt: string
  /** What was written so far; the manifest lists it. */
  files: Manifest['files']
  /** What the object store has lost or damaged; the manifest names it. */
  missing: Manifest['missing']
  /** Called with the number of bytes that were read from the store. */
  onBytes: (count: number) => void
  signal: AbortSignal
}

interface Source {
  name: string
  folder: Folder
  path: string
  etag: string
  /** The recording that it is of. */
  videoId?: number
}

const jsonOf = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

/** Keys of a session that have texts of people, and those of scripts and reports that have texts of a program. */
const sessionTexts = new Set(['name', 'file_name', 'failure'])
const scriptTimes = new Set(['start_time', 'end_time'])
const isText = {
  session: (key: string) => sessionTexts.has(key),
  script: (key: string) => !scriptTimes.has(key),
  report: (key: string) => key !== 'category',
}

/** Whether an import takes a document with codes in it, which may be longer than the names. */
const fits = {
  case: (document: CaseDocument) => passes(checkCase, document),
  session: (document: unknown) => Value.Check(SessionDocument, document) && passes(checkSession, document),
  script: (script: unknown) => isScript(script) && jsonBytes(script) <= scriptBytes,
  report: (report: unknown) => isReport(report) && jsonBytes(report) <= reportBytes,
}

/** The records of a stored script; none of one that an older release let pass and that has no records. */
function recordsOf(script: unknown): ScriptRecord[] {
  const { scripts }: { scripts?: unknown } = Object(script)
  return Array.isArray(scripts) ? scripts : []
}

/** All files of an export, in their order; the manifest is the last, so that it has the hashes of all others. */
export async function* entriesOf(exported: Exported): AsyncGenerator<Entry> {
  const { db, store, document, withoutMedia, madeAt, files, missing, onBytes, signal } = exported
  const caseId = document.id
  const codes = exported.pseudonyms ? pseudonymsOf(document) : undefined
  const text = (name: string, parts: Iterable<string>): Entry => ({ name, body: bytesOf(parts) })

  /**
   * Opens an object; undefined if the store has lost it, which the manifest tells. A recording that a newer one has replaced since the
   * session was read is not lost, but removed.
   */
  async function open({ name, folder, path, etag, videoId }: Source) {
    try {
      const stream = await store.get(inFolder(folder, path), { ifMatch: etag, signal })
      return (async function* () {
        for await (const part of stream) {
          onBytes(part.length)
          yield part
        }
      })()
    } catch (error) {
      if (!(error instanceof ObjectMissingError || error instanceof ObjectChangedError)) throw error
      if (videoId === undefined || (await isKept(db, videoId))) missing.push({ path: name })
      return undefined
    }
  }
  async function* stored(source: Source): AsyncGenerator<Entry> {
    const body = await open(source)
    if (body) yield { name: source.name, body }
  }

  async function* recordings({
    document: { id, recordings },
    originals,
    renditions,
  }: ReadSession): AsyncGenerator<Entry> {
    for (const { id: videoId, container } of recordings) {
      const [original, rendition] = [originals.get(videoId), renditions.get(videoId)]
      const of = { folder: 'video' as const, videoId }
      if (original) yield* stored({ ...original, ...of, name: originalName(id, videoId, container) })
      if (rendition) yield* stored({ ...rendition, ...of, name: renditionName(id, videoId) })
    }
  }

  /** A script as it is stored, and as captions and text. Where its bytes are not those that were saved, it counts as missing. */
  async function* script(
    sessionId: number,
    version: number,
    { checksum, ...place }: StoredScript,
  ): AsyncGenerator<Entry> {
    const name = scriptName(sessionId, version, 'json')
    const body = await open({ ...place, name, folder: 'script' })
    if (!body) return
    const bytes = await buffer(body)
    const parsed = storedScript(bytes, checksum)
    if (parsed === undefined || !isScript(parsed)) return void missing.push({ path: name })
    const shown = codes ? await codes.inJson(name, parsed, isText.script, fits.script) : parsed
    yield codes ? text(name, [JSON.stringify(shown)]) : { name, body: [bytes] }
    const records = recordsOf(shown)
    yield text(scriptName(sessionId, version, 'vtt'), toVtt(records))
    yield text(scriptName(sessionId, version, 'txt'), toText(records))
  }

  /** A report as it is stored. One that is none counts as missing, because an import would refuse the whole case for it. */
  async function* report(
    sessionId: number,
    version: number,
    place: { path: string; etag: string },
  ): AsyncGenerator<Entry> {
    const name = reportName(sessionId, version)
    const body = await open({ ...place, name, folder: 'analyze_report' })
    if (!body) return
    const bytes = await buffer(body)
    const parsed = storedJson(bytes)
    if (parsed === undefined || !isReport(parsed)) return void missing.push({ path: name })
    if (!codes) return yield { name, body: [bytes] }
    yield text(name, [JSON.stringify(await codes.inJson(name, parsed, isText.report, fits.report))])
  }

  const about = { caseId, madeAt, withoutMedia, pseudonyms: exported.pseudonyms }
  yield text(readmeName, [readmeOf(about)])
  yield text(caseName, [jsonOf(codes ? await codes.inCase(caseName, document, fits.case) : document)])
  for (const sessionId of await sessionIds(db, caseId)) {
    const session = await readSession(db, sessionId)
    if (!session) continue
    const name = sessionName(sessionId)
    yield text(name, [
      jsonOf(codes ? await codes.inJson(name, session.document, isText.session, fits.session) : session.document),
    ])
    for (const [version, place] of session.scripts) yield* script(sessionId, version, place)
    for (const [version, place] of session.reports) yield* report(sessionId, version, place)
    if (!withoutMedia) yield* recordings(session)
  }
  async function* audit() {
    const wanted = { from: undefined, to: undefined, caseId, format: 'json' as const }
    for await (const lines of exportEvents(db, wanted)) yield Buffer.from(lines)
  }
  yield { name: auditName, body: audit() }
  if (codes) yield text(pseudonymsName, [jsonOf(codes.list())])
  yield text(crateName, crateOf(about, files))
  const manifest: Manifest = {
    format: formatName,
    version: formatVersion,
    made_at: madeAt,
    case_id: caseId,
    without_media: withoutMedia,
    pseudonyms: exported.pseudonyms,
    files,
    missing,
  }
  yield text(manifestName, [jsonOf(manifest)])
}
