import { createHash } from 'node:crypto'
import { errors, fault, parseJson } from '@playtherapy/service-kit'
import fastJson from 'fast-json-stringify'
import { type ExportFormat, exportFormats } from '../export/formats.ts'
import { fromCaptions } from '../import/captions.ts'
import type { ScriptRecord } from '../records/record.ts'
import { pieces } from '../records/texts.ts'
import { type TimeWarning, timeWarnings } from '../records/warnings.ts'
import { scriptBounds, scriptLimit, validateScript } from '../scripts/validate.ts'
import { toPages } from '../search/fold.ts'
import { Summary } from '../summary/schemas.ts'
import { summarise } from '../summary/summary.ts'
import { Changes, scriptChanges } from '../versions/changes.ts'
import { patchedJson } from '../versions/patch.ts'
import { toBytes } from './bytes.ts'

/**
 * What is done with whole scripts: bytes go in and bytes come out, because that is all that goes from one thread to
 * another for nothing. All of them throw ApiError.
 */

/** Most bytes of what a script is turned into: a text of `&` alone would be five times as long in WebVTT. */
const outputLimit = 2 * scriptLimit
/** Most bytes of a comparison: both scripts whole, and around each record what changed. */
const comparisonLimit = 3 * scriptLimit

/** A script as it was read from the store. */
export interface ReadScript {
  bytes: Uint8Array
  /** SHA-256 that was recorded, in hex; null for versions of before it was kept. */
  checksum: string | null
  /** The file's name, for who is told that it is not what was stored. */
  name: string
}

/** A script that may be saved. */
export interface CheckedScript {
  bytes: Uint8Array
  /** SHA-256, in hex. */
  checksum: string
  warnings: TimeWarning[]
}

/** Where a script came from, for faults, and the video's length for its warnings. */
interface Origin {
  place: string[]
  videoLength: string | null
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The bytes of a stored script, once they are seen to be what was saved. Throws code 1001. */
function verified({ bytes, checksum, name }: ReadScript): Uint8Array {
  if (checksum !== null && sha256(bytes) !== checksum) throw errors.downloadFailed(name)
  return bytes
}

const recordsOf = (script: ReadScript): ScriptRecord[] => validateScript(verified(script), ['script'])

function checked(bytes: Uint8Array, { place, videoLength }: Origin): CheckedScript {
  if (bytes.length > scriptLimit) throw errors.tooLarge(scriptLimit)
  return { bytes, checksum: sha256(bytes), warnings: timeWarnings(validateScript(bytes, place), videoLength) }
}

/** The JSON of a script. Texts are spelt in pieces: one of control characters is six times as long in JSON. */
function* toJson(records: ScriptRecord[]): Iterable<string> {
  let before = '{"scripts":['
  for (const { text, ...others } of records) {
    yield `${before}${JSON.stringify(others).slice(0, -1)},"text":"`
    for (const piece of pieces(text)) yield JSON.stringify(piece).slice(1, -1)
    yield '"}'
    before = ','
  }
  yield ']}'
}

const stringifySummary = fastJson(Summary)
const stringifyCounts = fastJson(Changes.properties.counts)
const stringifyChange = fastJson(Changes.properties.changes.items)

/** Bytes of JSON after which a batch of pages is full. */
const batchBytes = 256 * 1024

export const tasks = {
  /** A script that was sent. */
  check: ({ bytes, ...origin }: Origin & { bytes: Uint8Array }) => checked(bytes, origin),

  /** An older version that is to be saved again. */
  restore: ({ script, ...origin }: Origin & { script: ReadScript }) => checked(verified(script), origin),

  /** The script that captions make. */
  importCaptions({ bytes, ...origin }: Origin & { bytes: Uint8Array }) {
    const records = fromCaptions(bytes, origin.place)
    if (records.length === 0) throw fault(origin.place, 'has no cues')
    return checked(toBytes(toJson(records), scriptLimit), origin)
  },

  /** The script that a patch makes of another; `patch` is its JSON, which was validated. */
  patch({ script, patch, ...origin }: Origin & { script: ReadScript; patch: Uint8Array }) {
    const document = parseJson(verified(script), ['script'], scriptBounds)
    if (typeof document !== 'object' || document === null) throw errors.unexpected()
    return checked(Buffer.from(patchedJson(document, parseJson(patch, ['body']), origin.place)), origin)
  },

  /** A script as a file. */
  async exportTo({ script, format }: { script: ReadScript; format: keyof typeof exportFormats }) {
    const { write }: ExportFormat = exportFormats[format]
    const file = await write(recordsOf(script))
    return file instanceof Uint8Array ? file : toBytes(file, outputLimit)
  },

  summarise: ({ script }: { script: ReadScript }) => Buffer.from(stringifySummary(summarise(recordsOf(script)))),

  /** What changed from one version to another, as JSON. */
  compare({ before, after }: { before: ReadScript; after: ReadScript }) {
    const { counts, changes } = scriptChanges(recordsOf(before), recordsOf(after))
    function* json() {
      yield `{"counts":${stringifyCounts(counts)},"changes":[`
      for (const [index, change] of changes.entries()) yield (index > 0 ? ',' : '') + stringifyChange(change)
      yield ']}'
    }
    return toBytes(json(), comparisonLimit)
  },

  /** The rows in which a script is searched, in batches, each a JSON array. */
  page({ script }: { script: ReadScript }) {
    const batches: Uint8Array[] = []
    let batch = ''
    const close = () => {
      batches.push(Buffer.from(`[${batch}]`))
      batch = ''
    }
    for (const page of toPages(recordsOf(script))) {
      batch += (batch && ',') + JSON.stringify(page)
      if (batch.length >= batchBytes) close()
    }
    if (batch) close()
    return batches
  },
}

export type TaskName = keyof typeof tasks
