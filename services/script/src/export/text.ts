import type { ScriptRecord } from '../records/record.ts'
import { clockTime, parseTime } from '../records/times.ts'

const oneLine = (text: string) =>
  text
    .split(/[\r\n\u2028\u2029]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ')

/**
 * A script as lines to paste into notes: `[00:01:02] T: text`, one for each record, in the script's order. Starts are
 * whole seconds, left out where they are missing or odd; line breaks become spaces.
 */
export const toText = (records: ScriptRecord[]): string =>
  records
    .map(({ start_time, speaker, text }) => {
      const start = parseTime(start_time)
      const when = start === undefined ? '' : `[${clockTime(start)}] `
      return `${when}${speaker ? `${oneLine(speaker)}: ` : ''}${oneLine(text)}\n`
    })
    .join('')
