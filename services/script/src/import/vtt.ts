import { fault } from '@playtherapy/service-kit'
import type { ScriptRecord } from '@playtherapy/versions/records'
import { readRecords } from './cues.ts'

/** How blocks begin that are no cues. A header may also follow, where files were joined. */
const other = /^(?:(?:WEBVTT|NOTE)(?:[ \t].*)?|(?:STYLE|REGION)[ \t]*)$/

/**
 * The records of the text of a WebVTT file (W3C), in order. The header, comments, styles, regions, the names of cues and
 * their settings are left out. Throws `errors.invalidInput` with the lines that are nothing of all this; `place` is where
 * the file came from.
 */
export function fromVtt(text: string, place: string[]): ScriptRecord[] {
  if (!/^WEBVTT(?:[ \t\n]|$)/.test(text)) throw fault(place, 'must begin with WEBVTT')
  return readRecords(text, place, { isName: () => true, isOther: (line) => other.test(line) })
}
