import { clockTime } from '@playtherapy/schema'
import type { ScriptRecord } from './record.ts'
import { filledLines } from './texts.ts'
import { parseTime } from './times.ts'

function* onOneLine(text: string): Iterable<string> {
  let before = ''
  for (const line of filledLines(text)) {
    yield before + line.trim()
    before = ' '
  }
}

/**
 * A script as lines to paste into notes: `[00:01:02] T: text`, one for each record. Starts are rounded down to seconds,
 * and left out where they are missing or odd. Line breaks become spaces.
 */
export function* toText(records: ScriptRecord[]): Iterable<string> {
  for (const { start_time, speaker, text } of records) {
    const start = parseTime(start_time)
    if (start !== undefined) yield `[${clockTime(start)}] `
    if (speaker) {
      yield* onOneLine(speaker)
      yield ': '
    }
    yield* onOneLine(text)
    yield '\n'
  }
}
