import { fault } from '@playtherapy/service-kit'
import { pieces, type ScriptRecord, scriptBytes } from '@playtherapy/versions/records'
import { toBytes } from '../records/bytes.ts'
import { type CheckedScript, checkScript, type Origin } from '../scripts/check.ts'
import { captionsText } from './lines.ts'
import { fromSrt } from './srt.ts'
import { fromVtt } from './vtt.ts'

/** The records of a captions file: WebVTT begins with its name, any other file is SubRip. Throws `errors.invalidInput`. */
function fromCaptions(bytes: Uint8Array, place: string[]): ScriptRecord[] {
  const text = captionsText(bytes, place)
  return text.startsWith('WEBVTT') ? fromVtt(text, place) : fromSrt(text, place)
}

/** The JSON of a script, in pieces: a text of control characters is six times as long in JSON. */
function* toJson(records: ScriptRecord[]): Iterable<string> {
  let before = '{"scripts":['
  for (const { text, ...others } of records) {
    yield `${before}${JSON.stringify(others).slice(0, -1)},"text":"`
    for (const piece of pieces(text)) yield JSON.stringify(piece).slice(1, -1)
    yield '"}'
    before = ','
  }
  yield ']}'
}

/** Turns captions into a script. Throws `errors.invalidInput` without a readable cue, and `errors.tooLarge`. */
export function importCaptions({ bytes, ...origin }: Origin & { bytes: Uint8Array }): CheckedScript {
  const records = fromCaptions(bytes, origin.place)
  if (records.length === 0) throw fault(origin.place, 'has no cues')
  return checkScript({ bytes: toBytes(toJson(records), scriptBytes), ...origin })
}
