import { captionTime } from '@playtherapy/schema'
import {
  cues,
  labelOf,
  linesOf,
  marked,
  type ScriptRecord,
  unlabelled,
  unmarkedUp,
  within,
} from '@playtherapy/versions/records'

/**
 * A script as SubRip, with `T: ` before the text of a speaker. SubRip has no escapes, so invisible marks keep players and
 * our import from reading a text as markup, as times or as a speaker. `cues` fills in times that are missing or odd.
 */
export function* toSrt(records: ScriptRecord[]): Iterable<string> {
  for (const [index, { start, end, speaker, text }] of cues(records).entries()) {
    yield `${index > 0 ? '\n' : ''}${index + 1}\n${captionTime(start, ',')} --> ${captionTime(end, ',')}\n`
    let before = speaker && labelOf(speaker)
    for (const line of linesOf(unmarkedUp(marked(text)))) {
      yield before + within(before.length > 1 ? line : unlabelled(line))
      before = '\n'
    }
    yield '\n'
  }
}
