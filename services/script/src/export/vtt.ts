import type { ScriptRecord } from '../records/record.ts'
import { filledLines, inPieces } from '../records/texts.ts'
import { captionTime } from '../records/times.ts'
import { cues } from './cues.ts'

// The arrow would end a cue's text, so `>` is spelt out as well.
const escaped = (text: string) =>
  inPieces(text, (part) => part.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'))

/** A script as WebVTT (W3C), each speaker as a voice tag. `cues` says what happens to times that are missing or odd. */
export function* toVtt(records: ScriptRecord[]): Iterable<string> {
  yield 'WEBVTT\n'
  for (const { start, end, speaker, text } of cues(records)) {
    yield `\n${captionTime(start, '.')} --> ${captionTime(end, '.')}\n`
    let before = speaker ? `<v ${escaped(speaker)}>` : ''
    for (const line of filledLines(text)) {
      yield before + escaped(line)
      before = '\n'
    }
    yield speaker ? '</v>\n' : '\n'
  }
}
