import { descriptionBytes, nameCharacters } from '@playtherapy/schema'
import { mostRecords, Script, scriptBytes } from '@playtherapy/versions/records'
import { ReportBody, reportBytes } from '@playtherapy/versions/report'
import { Compile } from 'typebox/compile'
import type { CaseDocument, SessionDocument } from '../export/format.ts'
import { storedJson } from '../stored-json.ts'
import { type Archive, ImportError } from './archive.ts'

function checkName(name: string, of: string): void {
  if ([...name].length > nameCharacters)
    throw new ImportError(`${of} has a name of more than ${nameCharacters} characters.`)
}

/** Throws ImportError for a case with a longer name or a larger description than the routes let in. */
export function checkCase({ given_name, family_name, description }: CaseDocument): void {
  checkName(given_name, 'The case')
  checkName(family_name ?? '', 'The case')
  if (Buffer.byteLength(JSON.stringify(description)) > descriptionBytes) {
    throw new ImportError(`The description has more than ${descriptionBytes} bytes of JSON.`)
  }
}

/** Throws ImportError for a session with a longer name, with a number twice, or whose next version would have a number that is there. */
export function checkSession({ id, name, recordings, ...document }: SessionDocument): void {
  const of = `Session ${id}`
  checkName(name, of)
  const numbers = [
    { all: recordings.map((recording) => recording.id), last: Number.POSITIVE_INFINITY },
    { all: document.scripts.map(({ version }) => version), last: document.last_script_version },
    { all: document.reports.map(({ version }) => version), last: document.last_report_version },
  ]
  for (const { all, last } of numbers) {
    if (new Set(all).size < all.length) throw new ImportError(`${of} has a recording or a version twice.`)
    if (all.some((version) => version > last)) throw new ImportError(`${of} has a version after its last one.`)
  }
}

/** The bytes of a document of JSON. Throws ImportError for more of them, or for another document, than the routes let in. */
async function readDocument(archive: Archive, name: string, most: number, isValid: (value: unknown) => boolean) {
  const bytes = await archive.readWhole(name)
  if (bytes.length > most) throw new ImportError(`${name} is too large.`)
  const value = storedJson(bytes)
  if (value === undefined) throw new ImportError(`${name} is no JSON that can be stored.`)
  if (!isValid(value)) throw new ImportError(`${name} is not as the routes let it in.`)
  return bytes
}

// Compiled, because a script of 100,000 records would otherwise keep the process from its other work for seconds.
const scriptSchema = Compile(Script)
const reportSchema = Compile(ReportBody)

/**
 * Whether a value is a script that the routes let in. An older release let pass what has no records, and all that reads scripts expects
 * it.
 */
export const isScript = (script: unknown): boolean =>
  !Array.isArray(Object(script).scripts) || (scriptSchema.Check(script) && script.scripts.length <= mostRecords)
/** Whether a value is a report that the routes let in. */
export const isReport = (report: unknown): boolean => reportSchema.Check(report)

/** Whether a document passes a check that throws ImportError. */
export function passes<T>(check: (document: T) => void, document: T): boolean {
  try {
    check(document)
    return true
  } catch (error) {
    if (error instanceof ImportError) return false
    throw error
  }
}

/** The bytes of a script. */
export const readScript = (archive: Archive, name: string): Promise<Buffer> =>
  readDocument(archive, name, scriptBytes, isScript)

/** The bytes of a report. */
export const readReport = (archive: Archive, name: string): Promise<Buffer> =>
  readDocument(archive, name, reportBytes, isReport)
