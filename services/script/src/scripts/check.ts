import { hash } from 'node:crypto'
import { errors } from '@playtherapy/service-kit'
import type { ScriptRecord } from '@playtherapy/versions/records'
import { isAsSaved, scriptBytes } from '@playtherapy/versions/records'
import { type TimeWarning, timeWarnings } from '../records/warnings.ts'
import { validateScript } from './validate.ts'

/** A script as the store returned it. */
export interface ReadScript {
  bytes: Uint8Array
  /** The recorded SHA-256 in hex; null for versions that are older than checksums. */
  checksum: string | null
  /** File name for `errors.downloadFailed`. */
  name: string
}

/** A script that may be saved. */
export interface CheckedScript {
  bytes: Uint8Array
  /** SHA-256, in hex. */
  checksum: string
  warnings: TimeWarning[]
}

/** Where a script came from, for the faults that are reported, and the video's length for its warnings. */
export interface Origin {
  place: string[]
  /** `HH:MM:SS`; null while it is not known. */
  videoLength: string | null
}

/** The bytes of a stored script. Throws `errors.downloadFailed` when they are not what was saved. */
export function verified({ bytes, checksum, name }: ReadScript): Uint8Array {
  if (!isAsSaved(bytes, checksum)) throw errors.downloadFailed(name)
  return bytes
}

/** The records of a stored script. Throws as `verified` and `validateScript` do. */
export const recordsOf = (script: ReadScript): ScriptRecord[] => validateScript(verified(script), ['script'])

/** Checks a script that is to be saved. Throws `errors.tooLarge`, and what `validateScript` throws. */
export function checkScript({ bytes, place, videoLength }: Origin & { bytes: Uint8Array }): CheckedScript {
  if (bytes.length > scriptBytes) throw errors.tooLarge(scriptBytes)
  return { bytes, checksum: hash('sha256', bytes), warnings: timeWarnings(validateScript(bytes, place), videoLength) }
}
