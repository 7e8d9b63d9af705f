import type { ScriptRecord } from '../records/record.ts'
import { captionTime } from '../records/times.ts'
import { cues } from './cues.ts'

// The arrow would end a cue's text, so `>` is spelt out as well.
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** A script as WebVTT (W3C), each speaker as a voice tag. `cues` says what happens to times that are missing or odd. */
export function toVtt(records: ScriptRecord[]): string {
  const blocks = ['WEBVTT\n']
  for (const { start, end, speaker, lines } of cues(records)) {
    const text = escaped(lines.join('\n'))
    const voiced = speaker ? `<v ${escaped(speaker)}>${text}</v>` : text
    blocks.push(`${captionTime(start, '.')} --> ${captionTime(end, '.')}\n${voiced}\n`)
  }
  return blocks.join('\n')
}
