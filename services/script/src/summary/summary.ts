import type { ScriptRecord } from '@playtherapy/versions/records'
import fastJson from 'fast-json-stringify'
import type { Static } from 'typebox'
import { type ReadScript, recordsOf } from '../scripts/check.ts'
import { Summary } from './schemas.ts'
import { offset, roleOf, type Utterance, utterances } from './utterances.ts'

/** Shortest pause that counts as a silence. */
const silenceMs = 3_000
/** Most speakers that are listed; the totals count all. */
const mostSpeakers = 100

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
const rounded = (number: number, digits: number) => Math.round(number * 10 ** digits) / 10 ** digits
const part = (own: number, all: number) => (all > 0 ? rounded(own / all, 4) : null)
const longest = (numbers: number[]) => numbers.reduce((most, number) => Math.max(most, number), 0)

function median(numbers: number[]): number {
  const ascending = numbers.toSorted((a, b) => a - b)
  const upper = ascending[Math.floor(ascending.length / 2)] ?? 0
  return ((ascending[Math.ceil(ascending.length / 2) - 1] ?? upper) + upper) / 2
}

const duration = ({ time }: Utterance) => (time ? time.end - time.start : 0)

/** Every utterance with the offset from the one above it, and whether it begins a turn. */
const inContext = (said: Utterance[]) =>
  said.map((utterance, index) => {
    const above = said[index - 1]
    return { utterance, begins: above?.speaker !== utterance.speaker, offset: above && offset(above, utterance) }
  })

/**
 * The interaction of a session, computed from its script alone. `utterances` defines utterances and words; records
 * without words are not counted. Speakers are distinguished by role and name, however the name was typed.
 *
 * - Mean length of utterance = words / utterances, two decimals. Brown (1973, A First Language) counts morphemes; words
 *   need no grammar and rank children nearly alike (Parker & Brorson 2005, First Language 25, 365–376).
 * - Turn = the longest run of utterances of one speaker (Sacks, Schegloff & Jefferson 1974, Language 50, 696–735).
 * - Talk = Σ (end − start) of a speaker's timed utterances; time share = talk / Σ talk of all, word share = words / Σ
 *   words of all, four decimals. Overlapping talk counts for each speaker.
 * - Offset = start − end of the utterance above, where both are timed and in order. At the start of a turn it is a gap
 *   (≥ 0) or an overlap (< 0), within one a pause (Heldner & Edlund 2010, Journal of Phonetics 38, 555–568). Response
 *   latency = mean and median of the gaps before a speaker's turns, to the millisecond; overlaps are counted apart.
 * - Silence = any offset of three seconds or more, as silences in therapy are coded (Frankel, Levitt, Murray, Greenberg
 *   & Angus 2006, Psychotherapy Research 16, 627–638).
 *
 * Scripts often hold whole seconds; gaps are then no more exact than that.
 */
export function summarise(records: ScriptRecord[]): Static<typeof Summary> {
  const said = inContext(utterances(records))
  const allWords = sum(said.map(({ utterance }) => utterance.words))
  const allTalk = sum(said.map(({ utterance }) => duration(utterance)))
  const silences = said.flatMap(({ offset }) => (offset !== undefined && offset >= silenceMs ? [offset] : []))

  const bySpeaker = new Map<string, typeof said>()
  for (const one of said) {
    const own = bySpeaker.get(one.utterance.speaker)
    if (own) own.push(one)
    else bySpeaker.set(one.utterance.speaker, [one])
  }
  const speakers = [...bySpeaker].slice(0, mostSpeakers).map(([speaker, own]) => {
    const words = sum(own.map(({ utterance }) => utterance.words))
    const talk = sum(own.map(({ utterance }) => duration(utterance)))
    const turns = own.filter(({ begins }) => begins)
    const gaps = turns.flatMap(({ offset }) => (offset !== undefined && offset >= 0 ? [offset] : []))
    return {
      speaker,
      role: roleOf(speaker),
      utterances: own.length,
      words,
      mean_length: rounded(words / own.length, 2),
      questions: own.filter(({ utterance }) => utterance.asks).length,
      turns: turns.length,
      talk_ms: talk,
      time_share: part(talk, allTalk),
      word_share: part(words, allWords),
      responses: {
        count: gaps.length,
        mean_ms: gaps.length > 0 ? Math.round(sum(gaps) / gaps.length) : null,
        median_ms: gaps.length > 0 ? Math.round(median(gaps)) : null,
        overlaps: turns.filter(({ offset }) => offset !== undefined && offset < 0).length,
      },
    } as const
  })
  return {
    utterances: said.length,
    words: allWords,
    turns: said.filter(({ begins }) => begins).length,
    speakers,
    silences: {
      count: silences.length,
      total_ms: sum(silences),
      longest_ms: silences.length > 0 ? longest(silences) : null,
    },
  }
}

const stringify = fastJson(Summary)

/** The summary of a stored script, as JSON. */
export const summariseScript = ({ script }: { script: ReadScript }) =>
  Buffer.from(stringify(summarise(recordsOf(script))))
