import { errors, numberText } from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'

/** The client shows a list in pages of ten. */
const entriesPerPage = 10
const largestInt4 = 2_147_483_647

/** A whole number of any length. One out of range is refused later, with `errors.invalidRange` and not as invalid. */
const wholeNumber = (description: string) => numberText('^[+-]?[0-9]+$', description)

export const KeywordQuery = Type.Object({
  keyword: Type.Optional(
    Type.String({
      maxLength: 200,
      pattern: '^[^\\u0000]*$',
      description: 'Part of a word, in any case and however it was typed; empty for all',
    }),
  ),
})

export const ListQuery = Type.Object({
  skip: Type.Optional(wholeNumber('Entries to leave out, 0 by default')),
  limit: Type.Optional(wholeNumber('Entries wanted, all that remain by default')),
  ...KeywordQuery.properties,
})

/** Returns how many pages `count` entries fill; an empty list has one page. */
export const pages = (count: number) => Math.max(1, Math.ceil(count / entriesPerPage))

/** Selects from a list, newest first: ids below `before`, without the first `offset` of them, at most `limit`. */
export interface Range {
  before: number
  offset: number
  limit: number
}

/** A bound above every id. */
export const newest = largestInt4 + 1

export interface Page {
  /** For the statement, clamped to int4. */
  offset: number
  /** Also clamped; null means all remaining entries. */
  limit: number | null
  /** As the client sent them. */
  from: bigint
  wanted: bigint | undefined
}

const clamp = (value: bigint): number => (value < 0n ? 0 : value > largestInt4 ? largestInt4 : Number(value))

/** Parses skip and limit (services/contract.md, "Lists"). checkPage() checks them later, since that needs the count. */
export function readPage({ skip, limit }: Pick<Static<typeof ListQuery>, 'skip' | 'limit'>): Page {
  const from = BigInt(skip ?? 0)
  const wanted = limit === undefined ? undefined : BigInt(limit)
  return { offset: clamp(from), limit: wanted === undefined ? null : clamp(wanted), from, wanted }
}

/** Throws `errors.invalidRange` unless the page lies within a list of `count` entries. */
export function checkPage({ from, wanted }: Page, count: number): void {
  const length = wanted ?? BigInt(count) - from
  if (from >= 0n && length >= 0n && from + length <= BigInt(count)) return
  throw errors.invalidRange(from, from + (wanted ?? BigInt(count)) - 1n)
}

/**
 * Returns the length of a list by one of its pages: `onPage` entries from `offset` on, fewer than were asked for. An
 * empty page after the first one does not tell it, so the result is undefined and a count is needed.
 */
export const knownTotal = (onPage: number, offset: number): number | undefined =>
  onPage === 0 && offset > 0 ? undefined : offset + onPage
