import type { ScriptRecord } from '../records/record.ts'
import { replaced } from '../records/texts.ts'
import { boundedRecords, captionsText, labelled, readCues } from './cues.ts'

/**
 * The records of a SubRip file (UTF-8), in order. `T: ` before a text names the speaker, who is empty otherwise. The
 * tags that players know (`<b>`, `<i>`, `<u>`, `<font …>`) are removed. Throws `errors.invalidInput` with the lines that
 * are no cues; `place` is where the file came from.
 */
export function fromSrt(bytes: Uint8Array, place: string[]): ScriptRecord[] {
  const records = readCues(captionsText(bytes, place), place, false).map(({ start_time, end_time, text }) => {
    const said = replaced(text, /<\/?(?:[biu]|font(?:\s[^<>]*)?)>/gi, () => '')
    return { start_time, end_time, ...labelled(said) }
  })
  return boundedRecords(records, place)
}
