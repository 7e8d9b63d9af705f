import { type ScriptRecord, secondsOf } from '../script/records.ts'

/** Texts are compared by so many characters at most. */
const mostCharacters = 2_000
/** Of a text that is said more often, the first places are looked at. */
const mostPlaces = 500

/** A text without what two people write differently: composition, case, white space, signs, and what nobody sees. */
const folded = (text: string) =>
  text
    .slice(0, mostCharacters)
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\p{Cf}/gu, '')
    .replace(/[\p{P}\p{S}\s]+/gu, ' ')
    .trim()

/** Finds the seconds at which quotes were said. */
export interface Quotes {
  /** A second for each quote of one interaction, undefined where the script does not have it, or no time for it. */
  secondsOf(quotes: readonly string[]): (number | undefined)[]
}

/**
 * Prepares the records of a script for quotes. A quote is the whole text of a record, as it is or else folded. One that was said more
 * than once is taken to be where the others of its interaction are near.
 */
export function findQuotes(records: readonly ScriptRecord[]): Quotes {
  const exact = new Map<string, number[]>()
  const alike = new Map<string, number[]>()
  const add = (map: Map<string, number[]>, text: string, index: number) => {
    const places = map.get(text)
    if (!places) map.set(text, [index])
    else if (places.length < mostPlaces) places.push(index)
  }
  for (const [index, { text }] of records.entries()) {
    add(exact, text, index)
    add(alike, folded(text), index)
  }
  const placesOf = (quote: string) => {
    const same = folded(quote)
    return exact.get(quote) ?? (same ? alike.get(same) : undefined) ?? []
  }
  return {
    secondsOf(quotes) {
      const all = quotes.map(placesOf)
      const known = all.filter((places) => places.length > 0)
      // The rarest one decides: at each of its places it is near to the others, or far.
      const [rarest = []] = known.toSorted((a, b) => a.length - b.length)
      const farness = (at: number) => known.reduce((sum, places) => sum + Math.abs(nearest(places, at) - at), 0)
      const [first] = rarest
      if (first === undefined) return quotes.map(() => undefined)
      const anchor =
        rarest.length === 1 ? first : rarest.reduce((best, at) => (farness(at) < farness(best) ? at : best), first)
      const anchored = all.indexOf(rarest)
      return all.map((places, order) => {
        const at = places.length > 0 ? nearest(places, anchor, order < anchored) : undefined
        return at === undefined ? undefined : secondsOf(records[at]?.start_time)
      })
    },
  }
}

/** The place that is nearest to another one; of two, the later, or the earlier of what is said before. */
function nearest(places: readonly number[], to: number, isBefore = false): number {
  const farness = (place: number) => Math.abs(place - to) + (place > to === isBefore ? 0.5 : 0)
  return places.reduce((best, place) => (farness(place) < farness(best) ? place : best), places[0] ?? to)
}
