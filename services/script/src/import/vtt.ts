import { fault } from '@playtherapy/service-kit'
import type { ScriptRecord } from '../records/record.ts'
import { replaced, squeezed } from '../records/texts.ts'
import { boundedRecords, captionsText, labelled, type RawCue, readCues } from './cues.ts'

const named: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  lrm: '\u200e',
  rlm: '\u200f',
}

/** The character of an `&…;`; the reference itself when that character cannot be stored. */
function referred(reference: string): string {
  const name = reference.slice(1, -1)
  if (!name.startsWith('#')) return named[name] ?? reference
  const code = Number(name.replace(/^#(x?)/i, (_, hex) => (hex ? '0x' : '')))
  const isStorable = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  return isStorable ? String.fromCodePoint(code) : reference
}

const plain = (text: string) =>
  replaced(
    replaced(text, /<[^<>]*>/g, () => ''),
    /&(?:[a-z]{2,4}|#\d{1,7}|#[xX][\da-fA-F]{1,6});/g,
    referred,
  )

// It looks ahead for the space and does not consume it, so no text makes it backtrack.
const voice = /<v(?:\.[^\s<>]*)?(?=[ \t\n])([^<>]*)>/
const voices = new RegExp(`${voice.source}|</v>`, 'g')

type Span = { speaker: string; text: string }

/** What each voice says in a cue; text outside of voices has no speaker. */
function* spoken(text: string): Iterable<Span> {
  const span = (speaker: string, from: number, to: number) => ({ speaker, text: plain(text.slice(from, to)).trim() })
  let speaker = ''
  let from = 0
  for (const tag of text.matchAll(voices)) {
    const said = span(speaker, from, tag.index)
    if (said.text || speaker) yield said
    speaker = squeezed(plain(tag[1] ?? ''))
    from = tag.index + tag[0].length
  }
  const said = span(speaker, from, text.length)
  if (said.text || speaker) yield said
}

function* recordsOf(cues: RawCue[], spans: (text: string) => Iterable<Span>): Iterable<ScriptRecord> {
  for (const { start_time, end_time, text } of cues) {
    for (const span of spans(text)) yield { start_time, end_time, ...span }
  }
}

/**
 * The records of a WebVTT file (W3C), in order. Voice tags name the speakers; each voice of a cue becomes a record with
 * the cue's times. In a file without voice tags, `T: ` before a text names the speaker, as in SubRip. Other tags,
 * comments, styles, regions and settings are left out. Throws `errors.invalidInput` with the lines that cannot be read;
 * `place` is where the file came from.
 */
export function fromVtt(bytes: Uint8Array, place: string[]): ScriptRecord[] {
  const text = captionsText(bytes, place)
  const [header = ''] = text.split('\n', 1)
  if (!/^WEBVTT(?:[ \t].*)?$/.test(header)) throw fault(place, 'must begin with WEBVTT')
  // The header becomes a blank line, so that line numbers are those of the file.
  const cues = readCues(text.slice(header.length), place, true)
  const hasVoices = cues.some((cue) => voice.test(cue.text))
  return boundedRecords(recordsOf(cues, hasVoices ? spoken : (said) => [labelled(plain(said))]), place)
}
