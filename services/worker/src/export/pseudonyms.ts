import { compose } from '@playtherapy/schema'
import type { CaseDocument } from './format.ts'

/** Codes for the names of a case, and what they have replaced. */
export interface Pseudonyms {
  /** A text, composed (NFC), with codes in place of names; `path` is the file that it is for. */
  inText(path: string, text: string): string
  /** A value of JSON with codes in all of its texts and keys. */
  inJson(path: string, value: unknown): unknown
  /** The case itself: its two names become codes also where they are too short to be looked for elsewhere. */
  inCase(path: string, document: CaseDocument): CaseDocument
  /** For `pseudonyms.json`: the codes, which files have how many of them, and what was left. It holds no name. */
  list(): object
}

interface Code {
  code: string
  standsFor: string
  /** Spellings that are looked for. */
  names: string[]
}

/** Keys of a description whose texts are names. */
const nameKey = /name|이름|성명|성함/i

/** Names below keys that say so, at any depth. */
function* namesIn(value: unknown, isName = false): Generator<string> {
  if (typeof value === 'string' && isName) yield value
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    yield* namesIn(inner, Array.isArray(value) ? isName : isName || nameKey.test(key))
  }
}

const squeezed = (name: string) => compose(name).replace(/\s+/gu, ' ').trim()
/** One letter is a part of too many other words. */
const isLong = (name: string) => [...name].length > 1

function codesOf({ given_name, family_name, description }: CaseDocument): Code[] {
  const [given, family] = [squeezed(given_name), squeezed(family_name ?? '')]
  const whole =
    given && family ? [`${family}${given}`, `${family} ${given}`, `${given} ${family}`, `${family}, ${given}`] : []
  const others = [...new Set([...namesIn(description)].map(squeezed))].filter(
    (name) => isLong(name) && ![given, family, ...whole].includes(name),
  )
  return [
    { code: 'CHILD', standsFor: 'family_name and given_name', names: whole },
    { code: 'CHILD-GIVEN', standsFor: 'given_name', names: [given].filter(isLong) },
    { code: 'CHILD-FAMILY', standsFor: 'family_name', names: [family].filter(isLong) },
    ...others.map((name, index) => ({
      code: `PERSON-${index + 1}`,
      standsFor: 'a name in description',
      names: [name],
    })),
  ]
}

/** Letters that have a case stand in words with spaces around them; others, as Korean ones, are followed by particles. */
const isCased = (name: string) => name.toLowerCase() !== name.toUpperCase()

function patternOf(name: string): string {
  const text = name.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&').replaceAll(' ', '\\s+')
  return isCased(name) ? `(?<![\\p{L}\\p{N}])${text}(?![\\p{L}\\p{N}])` : text
}

/**
 * Finds the names of a case in texts, whatever form of Unicode they are in: its given and family name, both together, and names in its
 * description. The longest comes first. It finds a name as it is written in the case; nicknames and misspellings stay.
 */
export function pseudonymsOf(document: CaseDocument): Pseudonyms {
  const codes = codesOf(document)
  const spellings = codes.flatMap(({ code, names }) => names.map((name) => ({ code, name })))
  spellings.sort((a, b) => b.name.length - a.name.length)
  const wanted =
    spellings.length > 0 ? new RegExp(spellings.map(({ name }) => `(${patternOf(name)})`).join('|'), 'giu') : undefined
  const counts = new Map<string, Map<string, number>>()
  const count = (path: string, code: string) => {
    const ofFile = counts.get(path) ?? new Map<string, number>()
    counts.set(path, ofFile.set(code, (ofFile.get(code) ?? 0) + 1))
  }
  const inText = (path: string, text: string) => {
    const composed = compose(text)
    if (!wanted) return composed
    return composed.replace(wanted, (...found) => {
      const index = spellings.findIndex((_, at) => found[at + 1] !== undefined)
      const code = spellings[index]?.code ?? 'CHILD'
      count(path, code)
      return code
    })
  }
  const inJson = (path: string, value: unknown): unknown => {
    if (typeof value === 'string') return inText(path, value)
    if (Array.isArray(value)) return value.map((inner) => inJson(path, inner))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [inText(path, key), inJson(path, inner)]))
  }
  return {
    inText,
    inJson,
    inCase(path, { given_name, family_name, description, ...rest }) {
      count(path, 'CHILD-GIVEN')
      if (family_name) count(path, 'CHILD-FAMILY')
      return {
        ...rest,
        given_name: given_name && 'CHILD-GIVEN',
        family_name: family_name && 'CHILD-FAMILY',
        description: { ...Object(inJson(path, description)) },
      }
    },
    list: () => ({
      codes: codes
        .filter(({ names }) => names.length > 0)
        .map(({ code, standsFor }) => ({ code, stands_for: standsFor })),
      replaced: [...counts].flatMap(([path, ofFile]) => [...ofFile].map(([code, times]) => ({ path, code, times }))),
      not_replaced: [
        'What is seen and heard in recordings.',
        'Nicknames, misspellings, and other names than those of the case.',
        ...['given_name', 'family_name'].flatMap((field) => {
          const name = squeezed(String(Object(document)[field] ?? ''))
          return name && !isLong(name) ? [`The ${field} by itself, because it has one letter.`] : []
        }),
      ],
    }),
  }
}
