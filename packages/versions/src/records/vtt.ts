import { captionTime } from '@playtherapy/schema'
import { marked, unbraced, unlabelled, within } from './caption-text.ts'
import { type Cue, cues } from './cues.ts'
import type { ScriptRecord } from './record.ts'
import { linesOf, pieces } from './texts.ts'

/** A text for a cue. `>` is escaped too, because an arrow would end the cue. */
function* escaped(text: string): Iterable<string> {
  for (const piece of pieces(text)) yield piece.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** What somebody said, as the text of a cue: in a voice tag where the speaker is known. */
export function* spoken({ speaker, text }: Cue): Iterable<string> {
  if (speaker) {
    yield '<v '
    yield* escaped(unbraced(marked(speaker)))
    yield '>'
  }
  let before = ''
  for (const line of linesOf(unbraced(marked(text)))) {
    yield before
    yield* escaped(within(speaker ? line : unlabelled(line)))
    before = '\n'
  }
  if (speaker) yield '</v>'
}

/**
 * A script as WebVTT (W3C), with speakers as voice tags. Invisible marks keep empty lines, and keep our import from
 * reading a text without a speaker as one. `cues` fills in times that are missing or odd.
 */
export function* toVtt(records: ScriptRecord[]): Iterable<string> {
  yield 'WEBVTT\n'
  for (const cue of cues(records)) {
    yield `\n${captionTime(cue.start, '.')} --> ${captionTime(cue.end, '.')}\n`
    yield* spoken(cue)
    yield '\n'
  }
}
