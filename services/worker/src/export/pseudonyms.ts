import { setImmediate } from 'node:timers/promises'
import { compose } from '@playtherapy/schema'
import type { CaseDocument } from './format.ts'

/** Codes for the names of a case, and what they have replaced. */
export interface Pseudonyms {
  /** A text, composed (NFC), with codes in place of names; `path` is the file that it is for. */
  inText(path: string, text: string): Promise<string>
  /**
   * A value of JSON with codes in the texts below those of its keys for which `isText` is true. Keys stay, and so do the texts that an
   * import has to read again. A value for which `fits` is false with codes, which may be longer than the names, has `*` for every name.
   */
  inJson<T>(
    path: string,
    value: T,
    isText: (key: string) => boolean,
    fits: (shown: unknown) => boolean,
  ): Promise<unknown>
  /**
   * The case itself: its two names become codes also where they are too short to be looked for elsewhere. A description that does not fit
   * even with `*` is left out.
   */
  inCase(path: string, document: CaseDocument, fits: (shown: CaseDocument) => boolean): Promise<CaseDocument>
  /** For `pseudonyms.json`: the codes, which files have how many of them, and what was left. It holds no name. */
  list(): object
}

interface Code {
  code: string
  standsFor: string
  /** Spellings that are looked for. */
  names: string[]
}

/** Longest name that is looked for; the routes let names of a case have twice as many characters. */
const nameCharacters = 100
/** Most names of a description that are looked for, and the most characters that they have together. */
const mostNames = 200
const namesCharacters = 2_000
/** Characters of a text that are searched before other work of the process gets its turn. */
const pieceCharacters = 16_384
/** Characters after a piece in which a name ends that begins in it. */
const overlapCharacters = 8_192

/** What stands for every name in a file that codes would make too large: no name is shorter. */
const shortest = '*'

/** Keys of a description whose texts are names. */
const nameKey = /name|이름|성명|성함/i

/** What stands between names that are written into one text. */
const betweenNames = /([,;/·，、；・\r\n]+)/

/** Names below keys that say so, at any depth. */
function* namesIn(value: unknown, isName = false): Generator<string> {
  if (typeof value === 'string' && isName) yield* value.split(betweenNames).map(squeezed)
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    yield* namesIn(inner, Array.isArray(value) ? isName : isName || nameKey.test(squeezed(key)))
  }
}

/** A name without characters that nobody sees, and with one space for any white space. */
const squeezed = (name: string) =>
  compose(name.replace(/\p{DI}+/gu, ''))
    .replace(/\s+/gu, ' ')
    .trim()
const hasLetters = (name: string) => /[\p{L}\p{N}]/u.test(name)
/** One letter is a part of too many other words, and a text is no name. */
const isSearched = (name: string) => [...name].length > 1 && name.length <= nameCharacters

/** Letters that have a case stand in words with spaces around them; others, as Korean ones, are followed by particles. */
const isCased = (name: string) => name.toLowerCase() !== name.toUpperCase()

/** A name, and each of its words: people are called by one of them. `de`, `la` and numbers are no names. */
function spellingsOf(name: string): string[] {
  const all = name.match(/[\p{L}\p{M}\p{N}\p{Pd}'’ʼ]+/gu) ?? []
  const named = all.filter((word) => /\p{L}/u.test(word))
  const words = named.filter((word) => !isCased(word) || (word.length > 2 && /^\p{Lu}/u.test(word)))
  return [...new Set([name, ...(isSearched(name) ? words : [])])].filter(isSearched)
}

/** The beginning of a text that has no more characters and bytes than another one: composed, a few letters are longer than before. */
function cutTo(text: string, other: string): string {
  let [characters, bytes] = [[...other].length, Buffer.byteLength(other)]
  if (Buffer.byteLength(text) <= bytes && [...text].length <= characters) return text
  let result = ''
  for (const sign of text) {
    bytes -= Buffer.byteLength(sign)
    if (bytes < 0 || --characters < 0) break
    result += sign
  }
  return result
}

/** The names of a description, in its order: those that are looked for, and those that are not. */
function namesOf(description: unknown, ofCase: string[]) {
  const searched: string[] = []
  const left = new Set<string>()
  let room = namesCharacters
  for (const name of new Set(namesIn(description))) {
    if (!hasLetters(name) || ofCase.includes(name)) continue
    if (!isSearched(name) || searched.length >= mostNames || name.length > room) left.add(name)
    else {
      searched.push(name)
      room -= name.length
    }
  }
  return { searched, left }
}

function codesOf({ given_name, family_name, description }: CaseDocument) {
  const [given, family] = [squeezed(given_name), squeezed(family_name ?? '')]
  const areNames = hasLetters(given) && hasLetters(family) && Math.max(given.length, family.length) <= nameCharacters
  // A Korean name is not turned round, and with one letter each it would then be found in other words.
  const turned = isCased(given) || isSearched(given) ? [`${given} ${family}`] : []
  const whole = areNames ? [`${family}${given}`, `${family} ${given}`, ...turned, `${family}, ${given}`] : []
  const { searched, left } = namesOf(description, [given, family, ...whole])
  const codes: Code[] = [
    { code: 'CHILD', standsFor: 'family_name and given_name', names: whole },
    { code: 'CHILD-GIVEN', standsFor: 'given_name', names: spellingsOf(given) },
    { code: 'CHILD-FAMILY', standsFor: 'family_name', names: spellingsOf(family) },
    ...searched.map((name, index) => ({
      code: `PERSON-${index + 1}`,
      standsFor: 'a name in description',
      names: [name],
    })),
  ]
  return { codes, left }
}

const casedLetter = '[\\p{Lu}\\p{Ll}\\p{Lt}]'
/** Characters that nobody sees may stand between letters, as in text from a web page. */
const unseen = '\\p{DI}{0,4}'
/** What may stand between the words of a name, or nothing: in names of files they are often joined by another sign. */
const space = '[\\s\\p{DI}\\p{Pd}_,]{0,20}'
const apostrophe = /['’ʼ]/

/** Only other letters with a case make a cased name a part of a longer word: a particle, a number or a line may be beside it. */
function patternOf(name: string): string {
  const signOf = (sign: string) =>
    apostrophe.test(sign) ? apostrophe.source : sign.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
  const words = (name.match(/[^ \p{Pd}_,]+/gu) ?? [name]).map((word) => Array.from(word, signOf))
  const text = words.map((signs) => signs.join(unseen)).join(space)
  return isCased(name) ? `(?<!${casedLetter})${text}(?!${casedLetter})` : text
}

/**
 * Finds the names of a case in texts, whatever form of Unicode they are in: its given and family name, both together, and names in its
 * description. The longest comes first. It finds a name as it is written in the case; nicknames and misspellings stay. Names are few and
 * short, and a long text is searched in pieces, so that a text of any kind does not keep the process from its other work.
 */
export function pseudonymsOf(document: CaseDocument): Pseudonyms {
  const { codes, left } = codesOf(document)
  const spellings = codes.flatMap(({ code, names }) => names.map((name) => ({ code, name })))
  spellings.sort((a, b) => b.name.length - a.name.length)
  const wanted =
    spellings.length > 0 ? new RegExp(spellings.map(({ name }) => `(${patternOf(name)})`).join('|'), 'giu') : undefined
  const counts = new Map<string, Map<string, number>>()
  const count = (path: string, code: string) => {
    const ofFile = counts.get(path) ?? new Map<string, number>()
    counts.set(path, ofFile.set(code, (ofFile.get(code) ?? 0) + 1))
  }
  /** Files in which every name is the shortest code. */
  const short = new Set<string>()
  let isLeftOut = false
  let searched = 0
  /** Lets the process do its other work after every so many characters. */
  const pause = async (characters: number) => {
    searched += characters
    if (searched < pieceCharacters) return
    searched = 0
    await setImmediate()
  }
  const inText = async (path: string, text: string) => {
    const composed = compose(text)
    const isShort = short.has(path)
    if (!wanted) return isShort ? cutTo(composed, text) : composed
    let result = ''
    for (let at = 0; at < composed.length; ) {
      // A pair of surrogates stays whole, and what is before a piece tells where a word begins.
      let end = at + pieceCharacters
      if (/[\uDC00-\uDFFF]/.test(composed.charAt(end))) end++
      const from = Math.max(0, at - 2)
      const piece = composed.slice(from, end + overlapCharacters)
      wanted.lastIndex = at - from
      for (const found of piece.matchAll(wanted)) {
        if (from + found.index >= end) break
        const index = spellings.findIndex((_, at) => found[at + 1] !== undefined)
        const code = spellings[index]?.code ?? 'CHILD'
        count(path, code)
        result += composed.slice(at, from + found.index) + (isShort ? shortest : code)
        at = from + found.index + found[0].length
      }
      const next = Math.max(at, Math.min(end, composed.length))
      result += composed.slice(at, next)
      await pause(piece.length)
      at = next
    }
    return isShort ? cutTo(result, text) : result
  }
  const inTexts = async (
    path: string,
    value: unknown,
    isText: (key: string) => boolean,
    key = '',
  ): Promise<unknown> => {
    if (typeof value === 'string') return isText(key) ? await inText(path, value) : value
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) {
      const items: unknown[] = []
      for (const inner of value) items.push(await inTexts(path, inner, isText, key))
      return items
    }
    const entries: [string, unknown][] = []
    for (const [key, inner] of Object.entries(value)) entries.push([key, await inTexts(path, inner, isText, key)])
    return Object.fromEntries(entries)
  }
  /** A description with codes in its keys, too; where two keys become one, the later gets a number. */
  const inKeys = async (path: string, value: unknown): Promise<unknown> => {
    if (typeof value !== 'object' || value === null) return value
    const entries = new Map<string, unknown>()
    for (const [key, inner] of Object.entries(value)) {
      const coded = Array.isArray(value) ? key : await inText(path, key)
      let name = coded
      for (let number = 2; entries.has(name); number++)
        name = short.has(path) ? `${coded}${number}` : `${coded} ${number}`
      entries.set(name, await inKeys(path, inner))
    }
    return Array.isArray(value) ? [...entries.values()] : Object.fromEntries(entries)
  }
  /** A description, in which also a name that is not looked for elsewhere becomes a code. */
  const withoutLeft = (value: unknown, code: string): unknown => {
    if (typeof value === 'string') {
      const parts = value.split(betweenNames)
      return parts.map((part) => (left.has(squeezed(part)) ? code : part)).join('')
    }
    if (Array.isArray(value)) return value.map((inner) => withoutLeft(inner, code))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutLeft(inner, code)]))
  }
  /** What `make` makes of a file, with codes or, where that does not fit, with the shortest one. */
  const fitted = async <T>(path: string, make: () => Promise<T>, fits: (made: T) => boolean): Promise<T> => {
    const made = await make()
    if (fits(made)) return made
    counts.delete(path)
    short.add(path)
    return await make()
  }
  return {
    inText,
    inJson: (path, value, isText, fits) => fitted(path, () => inTexts(path, value, isText), fits),
    async inCase(path, { given_name, family_name, description, ...rest }, fits) {
      const make = async () => {
        count(path, 'CHILD-GIVEN')
        if (family_name) count(path, 'CHILD-FAMILY')
        const named = withoutLeft(description, short.has(path) ? shortest : 'PERSON')
        const texts = await inTexts(path, named, () => true)
        return {
          ...rest,
          given_name: given_name && 'CHILD-GIVEN',
          family_name: family_name && 'CHILD-FAMILY',
          description: { ...Object(await inKeys(path, texts)) },
        }
      }
      const made = await fitted(path, make, fits)
      isLeftOut = !fits(made)
      return isLeftOut ? { ...made, description: {} } : made
    },
    list: () => ({
      codes: codes
        .filter(({ names }) => names.length > 0)
        .map(({ code, standsFor }) => ({ code, stands_for: standsFor })),
      /** In these files every name is one sign, because codes would have made a text larger than what can be imported. */
      with_asterisks: [...short],
      replaced: [...counts].flatMap(([path, ofFile]) => [...ofFile].map(([code, times]) => ({ path, code, times }))),
      not_replaced: [
        'What is seen and heard in recordings, and what their files say of themselves, such as a title or a place.',
        'Keys of scripts and reports, times of scripts, and categories of reports.',
        'Nicknames, misspellings, and other names than those of the case.',
        ...(isLeftOut ? ['The description is left out, because it would be too large.'] : []),
        ...['given_name', 'family_name'].flatMap((field) => {
          const name = squeezed(String(Object(document)[field] ?? ''))
          if (!name || isSearched(name)) return []
          const why = name.length > nameCharacters ? `more than ${nameCharacters} characters` : 'one letter'
          return [`The ${field} by itself, because it has ${why}.`]
        }),
        ...(left.size > 0
          ? [
              `${left.size} names of the description outside of it: they have one letter or more than ${nameCharacters}, or they are more than ${mostNames} names or ${namesCharacters} characters.`,
            ]
          : []),
      ],
    }),
  }
}
