import { type ScriptRecord, secondsOf } from '../script/records.ts'

/** Only so many UTF-16 units of two texts are compared. */
const mostCharacters = 2_000
/** Only so many places of the same text are considered. */
const mostPlaces = 500

/** Removes differences of spelling from a text: composition, case, white space, punctuation, and invisible characters. */
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
  /** The second of each quote of one interaction; undefined for a quote that is not in the script or has no time there. */
  secondsOf(quotes: readonly string[]): (number | undefined)[]
}

/**
 * Prepares the records of a script for the search of quotes. A quote is the whole text of a record, with or without differences of
 * spelling. Of several equal records, the one near the other quotes of the interaction is chosen.
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
      // The quote with the fewest places is fixed first: at the place with the smallest distance to the other quotes.
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

/** The place nearest to another one. Of two equally near places it is the later one, or with `isBefore` the earlier one. */
function nearest(places: readonly number[], to: number, isBefore = false): number {
  const farness = (place: number) => Math.abs(place - to) + (place > to === isBefore ? 0.5 : 0)
  return places.reduce((best, place) => (farness(place) < farness(best) ? place : best), places[0] ?? to)
}
