import type { ScriptRecord } from '@playtherapy/versions/records'
import { readRecords } from './cues.ts'

const number = /^\s*\d+\s*$/

/**
 * The records of the text of a SubRip file, in order. A number may stand above the times of a cue. Throws
 * `errors.invalidInput` with the lines that are no cues; `place` is where the file came from.
 */
export const fromSrt = (text: string, place: string[]): ScriptRecord[] =>
  readRecords(text, place, { isName: (line) => number.test(line), isOther: () => false })
