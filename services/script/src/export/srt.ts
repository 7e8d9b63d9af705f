import type { ScriptRecord } from '../records/record.ts'
import { captionTime } from '../records/times.ts'
import { cues } from './cues.ts'

/**
 * A script as SubRip, each speaker as `T: ` before the text. SubRip has no way to escape: what looks like a tag is a tag
 * to a player. `cues` says what happens to times that are missing or odd.
 */
export function toSrt(records: ScriptRecord[]): string {
  return cues(records)
    .map(({ start, end, speaker, lines }, index) => {
      const label = speaker ? `${speaker}: ` : ''
      return `${index + 1}\n${captionTime(start, ',')} --> ${captionTime(end, ',')}\n${label}${lines.join('\n')}\n`
    })
    .join('\n')
}
