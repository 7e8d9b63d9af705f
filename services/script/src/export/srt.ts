import { captionTime } from '@playtherapy/schema'
import type { ScriptRecord } from '../records/record.ts'
import { filledLines, replaced } from '../records/texts.ts'
import { cues } from './cues.ts'

/** A text for a cue. Players would read an arrow as the times of another cue. */
const harmless = (text: string) => replaced(text, /-->/g, () => '→')

/**
 * A script as SubRip, with `T: ` before the text of a speaker. SubRip has no escapes, so a player reads what looks like
 * a tag as a tag. `cues` fills in times that are missing or odd.
 */
export function* toSrt(records: ScriptRecord[]): Iterable<string> {
  for (const [index, { start, end, speaker, text }] of cues(records).entries()) {
    yield `${index > 0 ? '\n' : ''}${index + 1}\n${captionTime(start, ',')} --> ${captionTime(end, ',')}\n`
    let before = speaker ? `${harmless(speaker)}: ` : ''
    for (const line of filledLines(text)) {
      yield before + harmless(line)
      before = '\n'
    }
    yield '\n'
  }
}
