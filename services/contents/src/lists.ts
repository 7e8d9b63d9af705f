import { Readable } from 'node:stream'
import { createShares } from '@playtherapy/service-kit'
import type { FastifyReply } from 'fastify'
import { checkPage, knownTotal, newest, type Page, type Range } from './paging.ts'

/** The long lists that one process sends at the same time. */
export const longLists = createShares(32)

const type = 'application/json; charset=utf-8'

export interface List<Entry> {
  userId: number
  page: Page
  /** One statement reads this many entries, which one response may hold in memory. */
  atOnce: number
  read(range: Range): Promise<Entry[]>
  count(): Promise<number>
}

/**
 * Sends a list. Up to `atOnce` entries are read by one statement, which is also used to check the range. A longer list
 * is read and sent in batches, each when the client has read the one before, and holds no connection in between.
 * Entries deleted meanwhile may be missing; added ones are not in it. Throws `errors.invalidRange`, and
 * `errors.tooManyRequests` when the therapist has too many long lists open.
 */
export async function sendList<Entry extends { id: number }>(
  reply: FastifyReply,
  { userId, page, atOnce, read, count }: List<Entry>,
): Promise<Entry[] | FastifyReply> {
  const { offset } = page
  const wanted = page.limit ?? Number.POSITIVE_INFINITY
  const first = await read({ before: newest, offset, limit: Math.min(wanted, atOnce + 1) })
  const isLong = first.length > atOnce
  // A long list without a limit needs no count: its range is valid, and it ends with its last entry.
  if (!isLong || page.wanted !== undefined || page.from < 0n) {
    checkPage(page, (isLong ? undefined : knownTotal(first.length, offset)) ?? (await count()))
  }
  if (!isLong) return first
  // For a HEAD request, too, Fastify would read the stream to its end.
  if (reply.request.method === 'HEAD') return reply.type(type).send(Readable.from([]))
  const release = longLists.take(userId)
  const next = (before: number, left: number) => read({ before, offset: 0, limit: Math.min(left, atOnce) })
  const toText = (entries: Entry[]) => String(reply.serialize(entries))
  const body = Readable.from(inBatches(first, wanted, next, toText)).once('close', release)
  return reply.type(type).send(body)
}

/** Yields the JSON of a list, batch by batch; while a batch waits to be sent, only its text is in memory. */
async function* inBatches<Entry extends { id: number }>(
  entries: Entry[],
  wanted: number,
  next: (before: number, left: number) => Promise<Entry[]>,
  toText: (entries: Entry[]) => string,
): AsyncGenerator<string> {
  let left = wanted
  for (let mark = '['; entries.length > 0; mark = ',') {
    const last = entries.at(-1)?.id ?? 0
    left -= entries.length
    const text = mark + toText(entries).slice(1, -1)
    entries = []
    yield text
    if (left > 0) entries = await next(last, left)
  }
  yield ']'
}
