import { Readable } from 'node:stream'
import { createShares } from '@playtherapy/service-kit'
import type { FastifyReply } from 'fastify'
import { checkPage, knownTotal, newest, type Page, type Range } from './paging.ts'

/** Answers of more entries that one process sends at a time. */
const longAnswers = createShares(32)

const type = 'application/json; charset=utf-8'

export interface List<Entry> {
  userId: number
  page: Page
  /** Entries that may be in memory at once for one answer: as many are read by one statement. */
  atOnce: number
  read(range: Range): Promise<Entry[]>
  count(): Promise<number>
}

/**
 * Answers a list. A short one is read by one statement, which is also what its range is checked by. A longer one is read
 * and sent in batches, each when the client has taken what came before: it holds neither memory nor, in between, a
 * connection. What is deleted meanwhile may be missing from it; what is added is not in it. Throws
 * `errors.invalidRange`, and 429 when the therapist has too many long answers under way.
 */
export async function sendList<Entry extends { id: number }>(
  reply: FastifyReply,
  { userId, page, atOnce, read, count }: List<Entry>,
): Promise<Entry[] | FastifyReply> {
  const { offset } = page
  const wanted = page.limit ?? Number.POSITIVE_INFINITY
  const first = await read({ before: newest, offset, limit: Math.min(wanted, atOnce + 1) })
  const isLong = first.length > atOnce
  // Without a limit a list ends where it ends, whatever the count.
  if (!isLong || page.wanted !== undefined || page.from < 0n) {
    checkPage(page, (isLong ? undefined : knownTotal(first.length, offset)) ?? (await count()))
  }
  if (!isLong) return first
  // Fastify reads a stream to its end for HEAD, too.
  if (reply.request.method === 'HEAD') return reply.type(type).send(Readable.from([]))
  const release = longAnswers.take(userId)
  const next = (before: number, left: number) => read({ before, offset: 0, limit: Math.min(left, atOnce) })
  const toText = (entries: Entry[]) => String(reply.serialize(entries))
  const body = Readable.from(inBatches(first, wanted, next, toText)).once('close', release)
  return reply.type(type).send(body)
}

/** The JSON of a list, batch by batch; while one waits to be sent, only its text is kept. */
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
