import type { ScriptRecord } from '../records/record.ts'
import { replaced } from '../records/texts.ts'
import { boundedRecords, captionsText, labelled, readCues } from './cues.ts'

/**
 * The records of a SubRip file (UTF-8). `T: ` before a text names the speaker, who is empty otherwise; the tags players
 * know (`<b>`, `<i>`, `<u>`, `<font …>`) are removed. Times keep their milliseconds and cues their order. Throws 422 with
 * the line of what is no cue; `place` is where the file came from.
 */
export function fromSrt(bytes: Uint8Array, place: string[]): ScriptRecord[] {
  const records = readCues(captionsText(bytes, place), place, false).map(({ start_time, end_time, text }) => {
    const said = replaced(text, /<\/?(?:[biu]|font(?:\s[^<>]*)?)>/gi, () => '')
    return { start_time, end_time, ...labelled(said) }
  })
  return boundedRecords(records, place)
}
