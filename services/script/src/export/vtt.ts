import { captionTime } from '@playtherapy/schema'
import type { ScriptRecord } from '../records/record.ts'
import { filledLines, pieces } from '../records/texts.ts'
import { cues } from './cues.ts'

/** A text for a cue. `>` is escaped too, because an arrow would end the cue. */
function* escaped(text: string): Iterable<string> {
  for (const piece of pieces(text)) yield piece.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A script as WebVTT (W3C), with speakers as voice tags. `cues` fills in times that are missing or odd. */
export function* toVtt(records: ScriptRecord[]): Iterable<string> {
  yield 'WEBVTT\n'
  for (const { start, end, speaker, text } of cues(records)) {
    yield `\n${captionTime(start, '.')} --> ${captionTime(end, '.')}\n`
    if (speaker) {
      yield '<v '
      yield* escaped(speaker)
      yield '>'
    }
    let before = ''
    for (const line of filledLines(text)) {
      yield before
      yield* escaped(line)
      before = '\n'
    }
    yield speaker ? '</v>\n' : '\n'
  }
}
