import { errors } from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'

/** Entries of one page of the client. */
const pageSize = 10
const largest = 2_147_483_647

/**
 * A whole number as text, as long as a request line may be: what is no number at all is a fault, what is out of range
 * is `errors.invalidRange`.
 */
const whole = (description: string) => Type.String({ pattern: '^[+-]?[0-9]+$', description })

export const KeywordQuery = Type.Object({
  keyword: Type.Optional(
    Type.String({
      maxLength: 200,
      pattern: '^[^\\u0000]*$',
      description: 'Part of a word, in any case; empty for all',
    }),
  ),
})

export const ListQuery = Type.Object({
  skip: Type.Optional(whole('Entries to leave out, 0 by default')),
  limit: Type.Optional(whole('Entries wanted, all that remain by default')),
  ...KeywordQuery.properties,
})

/** How many pages so many entries fill; an empty list has one. */
export const pages = (count: number) => Math.max(1, Math.ceil(count / pageSize))

/** Entries of a list, newest first: those with an id below `before`, after the first `offset` of them, at most `limit`. */
export interface Range {
  before: number
  offset: number
  limit: number
}

/** A bound above every id. */
export const newest = largest + 1

export interface Page {
  /** For the statement: within what the database can count. */
  offset: number
  /** null for all that remain. */
  limit: number | null
  /** As they were asked for. */
  from: bigint
  wanted: bigint | undefined
}

const clamp = (value: bigint): number => (value < 0n ? 0 : value > largest ? largest : Number(value))

/** Reads skip and limit ("Lists" in services/contract.md). The check needs the count, which comes with the page itself. */
export function readPage({ skip, limit }: Pick<Static<typeof ListQuery>, 'skip' | 'limit'>): Page {
  const from = BigInt(skip ?? 0)
  const wanted = limit === undefined ? undefined : BigInt(limit)
  return { offset: clamp(from), limit: wanted === undefined ? null : clamp(wanted), from, wanted }
}

/** Throws `errors.invalidRange` unless the page lies within so many entries. */
export function checkPage({ from, wanted }: Page, count: number): void {
  const length = wanted ?? BigInt(count) - from
  if (from >= 0n && length >= 0n && from + length <= BigInt(count)) return
  throw errors.invalidRange(from, from + (wanted ?? BigInt(count)) - 1n)
}

/**
 * How many entries there are, as far as a page tells: it has so many from `offset` on. Less than asked for means that
 * those are all. Undefined when it has none and is not the first: then only a count tells.
 */
export const knownTotal = (onPage: number, offset: number): number | undefined =>
  onPage === 0 && offset > 0 ? undefined : offset + onPage
