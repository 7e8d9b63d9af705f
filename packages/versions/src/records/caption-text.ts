import { decodeHTMLStrict } from 'entities'
import { replaced, squeezed } from './texts.ts'

/**
 * The word joiner, which nobody sees. Captions cannot escape most of what would be read as more than text, so export
 * writes this before a character that is only a character, like a backslash, and import removes it.
 */
const mark = '\u2060'

const clock = String.raw`(?:(\d{1,3}):)?([0-5]?\d):([0-5]\d)[.,](\d{3})`
/** The line of a cue's times. After them come WebVTT's settings or SubRip's coordinates, about places on a screen. */
export const timing = new RegExp(`^[ \\t]*${clock}[ \\t]*-->[ \\t]*${clock}(?:[ \\t].*)?$`)

/** Tags of HTML that programs write into captions, in any case. */
const html = 'a|b|big|br|center|del|div|em|font|i|ins|p|s|small|span|strike|strong|sub|sup|tt|u'.replace(
  /[a-z]/g,
  (letter) => `[${letter}${letter.toUpperCase()}]`,
)
/** Each alternative stops where the next one could begin, so a text of millions of characters is read once. */
const markup = new RegExp(
  [
    // Words after a name are no attributes, so `a <b and c> d` is a text.
    String.raw`</?(?:${html})(?:\.[^\s<>]*)?(?:\s+[\w-]+\s*=[^<>]*)?\s*/?>`,
    // Tags of WebVTT: `<C>` may be a child, and only `<c>` is a tag.
    String.raw`</?(?:c|lang|rb|rp|rt|ruby|v)(?:[.\s/][^<>]*)?>`,
    // The time of a word, for karaoke.
    String.raw`<(?:\d+:)+\d+(?:[.,]\d+)?>`,
    // Overrides of Advanced SubStation Alpha and of MicroDVD, which programs leave in SubRip.
    String.raw`\{\\[^{}]*\}`,
    String.raw`\{/?[bius]\}`,
    String.raw`\{(?:[Yy]:[bius,]+|[Cc]:\$[\da-fA-F]+|[OoPpSs]:[\d,]+)\}`,
    String.raw`&(?:[a-zA-Z][a-zA-Z\d]{1,31}|#\d{1,7}|#[xX][\da-fA-F]{1,6});`,
  ].join('|'),
  'g',
)

/** What a player shows for a piece of markup. */
function shown(piece: string): string {
  if (!piece.startsWith('&')) return /^<\/?br/i.test(piece) ? '\n' : ''
  const character = decodeHTMLStrict(piece)
  // The library returns U+FFFD for the number of what no text can contain.
  return character.includes('\ufffd') ? piece : character
}

const withoutMarkup = (text: string) => replaced(text, markup, shown)
const withoutMarks = (text: string) => replaced(text, /\u2060[\s\S]?/g, (pair) => pair.slice(1))

interface Said {
  speaker: string
  text: string
}

// It looks ahead for the space and does not consume it, so no text makes it backtrack.
const voice = /<v(?:\.[^\s<>]*)?(?=[ \t\n])([^<>]*)>/
const voices = new RegExp(`${voice.source}|</v>`, 'g')

const mostNameLength = 400
/**
 * `T: ` or `[T]: ` at the start of a line, also after `- ` or `>> `. More than forty characters before a colon are a
 * sentence and no name, and so is what has neither letter nor digit, or a sign of markup.
 */
const label =
  /^(?:(?:[-–—]|>{2,3})[ \t]{0,4})?(?:\[((?:\u2060.|[^:：[\]\n\u2060]){1,800})\]|(?=[^:：\n]{0,39}[\p{L}\p{N}])([^\s:：[\]\u2060<>{}\\][^:：[\]\n\u2060<>{}\\]{0,39}))(?::[ \t\u00a0\u3000]+|：(?!\d)[ \t\u00a0\u3000]*)/u
const labels = new RegExp(label.source, 'gmu')

/** What announces the next speaker, and is no text. */
const isDash = (text: string) => /^(?:[-–—]|>{2,3})$/.test(text)

/** What each voice says, by the tags of WebVTT; text outside of voices has no speaker. */
function* byVoice(text: string): Iterable<Said> {
  const said = (name: string, from: number, to: number) => {
    const speaker = withoutMarks(squeezed(withoutMarkup(name)))
    const words = withoutMarks(withoutMarkup(text.slice(from, to)).trim())
    return { speaker, text: !speaker && isDash(words) ? '' : words }
  }
  let name = ''
  let from = 0
  for (const tag of text.matchAll(voices)) {
    yield said(name, from, tag.index)
    name = tag[1] ?? ''
    from = tag.index + tag[0].length
  }
  yield said(name, from, text.length)
}

/** What each speaker says, by labels. Those of further lines count where the first line has one. */
function* byLabel(text: string): Iterable<Said> {
  let speaker = ''
  let from = 0
  for (const found of label.test(text) ? text.matchAll(labels) : []) {
    if (found.index > 0) yield { speaker, text: withoutMarks(text.slice(from, found.index).trim()) }
    speaker = withoutMarks((found[1] ?? found[2] ?? '').trim())
    from = found.index + found[0].length
  }
  yield { speaker, text: withoutMarks(text.slice(from).trim()) }
}

/** Who says what in the text of a cue, without markup: by its voice tags or else by its labels. Nothing for no words. */
export function* saidIn(text: string): Iterable<Said> {
  const all = voice.test(text) ? byVoice(text) : byLabel(withoutMarkup(text).trim())
  for (const said of all) if (said.text || said.speaker) yield said
}

/** A text whose own invisible characters come back. */
export const marked = (text: string): string => replaced(text, /\u2060/g, () => mark + mark)

/** A text as `marked` returns it, for a format that escapes tags: `{\…}`, which some players hide, comes back. */
export const unbraced = (text: string): string => replaced(text, /\{/g, (brace) => brace + mark)

/** Players leave out tags that they do not know, too, up to a `>` that may never come. */
const anyTag = /<(?=[a-zA-Z/])/g

/** A text as `marked` returns it, for a format without escapes: what looks like markup comes back. */
export const unmarkedUp = (text: string): string =>
  replaced(
    replaced(text, markup, (piece) => piece.replace(/[<{&]/g, `$&${mark}`)),
    anyTag,
    (sign) => sign + mark,
  )

/** A line of such a text that neither ends its cue nor begins another. */
export const within = (line: string): string => (/^\s*$/.test(line) || timing.test(line) ? mark + line : line)

/** A line of such a text that names no speaker. */
export const unlabelled = (line: string): string =>
  line.replace(label, (found) => found.replace(/[:：]\s*$/, `${mark}$&`))

/** The label of a speaker, in brackets and with marks where it would not come back as it is. No longer one comes back. */
export function labelOf(speaker: string): string {
  const short = `${speaker}: `
  if (speaker.length > mostNameLength) return mark + short
  // What opens a tag in a name could be closed in the text.
  if (label.exec(short)?.[2] === speaker && !/[<{]/.test(speaker) && unmarkedUp(speaker) === speaker) return short
  return `[${replaced(speaker, /(?<=[<{&])[\s\S]|[:：[\]\u2060]/gu, (character) => mark + character)}]: `
}
