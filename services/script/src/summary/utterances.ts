import { fold } from '@playtherapy/schema'
import { parseTime, type ScriptRecord } from '@playtherapy/versions/records'

export interface Utterance {
  /** As the script first spells the name, without white space and unseen characters around it. */
  speaker: string
  words: number
  asks: boolean
  /** Milliseconds; undefined unless both times are known and in order. */
  time: { start: number; end: number } | undefined
}

const letterOrDigit = /[\p{L}\p{N}]/u

/** Counts without a list: one of seven million words would not fit into memory. */
function countWords(text: string): number {
  let words = 0
  for (const [run] of text.matchAll(/\S+/g)) if (letterOrDigit.test(run)) words++
  return words
}

/** A role by the first letter of a name. */
export const roleOf = (speaker: string) => (speaker[0] === 'T' ? 'therapist' : speaker[0] === 'C' ? 'child' : 'other')

/** Longest name of which spellings are compared; a longer one is no name. */
const mostNameLength = 1_000

/** Returns each name as it was first spelled. Names of one role that `fold` makes equal are one. */
function spellings(): (name: string) => string {
  const known = new Map<string, string>()
  return (name) => {
    const shown = name.trim()
    if (shown.length > mostNameLength) return shown
    const seen = shown.replace(/\p{DI}+/gu, '').trim()
    const key = `${roleOf(seen)} ${fold(seen)}`
    const first = known.get(key)
    if (first === undefined) known.set(key, seen)
    return first ?? seen
  }
}

/**
 * The records with at least one word, in order. A word is a run without whitespace that contains a letter or a digit, so
 * punctuation alone is no word and `[laughs]` is one. An utterance asks if it contains a question mark (`?` or `？`).
 * Korean endings do not tell: those of questions (-니, -까, -지) end statements as well (아니, 하니까, 하지).
 */
export function utterances(records: ScriptRecord[]): Utterance[] {
  const found: Utterance[] = []
  const spelled = spellings()
  for (const { speaker, text, start_time, end_time } of records) {
    const words = countWords(text)
    if (words === 0) continue
    const [start, end] = [parseTime(start_time), parseTime(end_time)]
    const time = start !== undefined && end !== undefined && end >= start ? { start, end } : undefined
    found.push({ speaker: spelled(speaker), words, asks: /[?？]/.test(text), time })
  }
  return found
}

/**
 * Milliseconds from the end of an utterance to the start of the next; negative where they overlap. Undefined if a time
 * is unknown, or if the next starts before this one, which is a mistake in the script.
 */
export const offset = ({ time: before }: Utterance, { time: after }: Utterance): number | undefined =>
  before && after && after.start >= before.start ? after.start - before.end : undefined
