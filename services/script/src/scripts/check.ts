import { createHash } from 'node:crypto'
import { errors } from '@playtherapy/service-kit'
import type { ScriptRecord } from '../records/record.ts'
import { type TimeWarning, timeWarnings } from '../records/warnings.ts'
import { scriptLimit, validateScript } from './validate.ts'

/** A script as it was read from the store. */
export interface ReadScript {
  bytes: Uint8Array
  /** SHA-256 that was recorded, in hex; null for versions that are older than checksums. */
  checksum: string | null
  /** The file's name, for the error that says that it is not what was stored. */
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
export interface Origin {
  place: string[]
  /** `HH:MM:SS`; null while it is not known. */
  videoLength: string | null
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The bytes of a stored script, if they are what was saved. Throws `errors.downloadFailed` otherwise. */
export function verified({ bytes, checksum, name }: ReadScript): Uint8Array {
  if (checksum !== null && sha256(bytes) !== checksum) throw errors.downloadFailed(name)
  return bytes
}

/** The records of a stored script. Throws as `verified` and `validateScript` do. */
export const recordsOf = (script: ReadScript): ScriptRecord[] => validateScript(verified(script), ['script'])

/** Checks a script that is to be saved. Throws 413, and 422 as `validateScript` does. */
export function checkScript({ bytes, place, videoLength }: Origin & { bytes: Uint8Array }): CheckedScript {
  if (bytes.length > scriptLimit) throw errors.tooLarge(scriptLimit)
  return { bytes, checksum: sha256(bytes), warnings: timeWarnings(validateScript(bytes, place), videoLength) }
}
