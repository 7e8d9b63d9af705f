import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Run, readScript, type ScriptOptions } from '../scripts/service.ts'
import type { pageScript } from './pages.ts'
import { keepPages, unpagedScripts } from './repository.ts'

export type SearchOptions = ScriptOptions & { work: { page: Run<typeof pageScript> } }

/** Longest time that a search spends on reading scripts. */
const readingMs = 10_000

/**
 * Prepares the newest scripts of the caller's case for the search. The first search after a save does it, so that saves
 * cost nothing more and every search is up to date. Returns the sessions whose script could not be read, or not in time.
 * Throws `errors.tooManyRequests` and `errors.unavailable` when too much is being read already.
 */
export async function pageScripts(
  options: SearchOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<number[]> {
  const { db, withMemory, work } = options
  const unpaged = await unpagedScripts(db, request)
  const largest = unpaged.reduce((most, { size }) => Math.max(most, size), 0)
  const signal = AbortSignal.timeout(readingMs)
  const unread: number[] = []
  if (unpaged.length === 0) return unread
  // The rows hold each text twice: folded and original.
  await withMemory(request, reply, 2 * largest, async () => {
    for (const script of unpaged) {
      try {
        signal.throwIfAborted()
        const stored = await readScript(options, request, script, signal)
        await keepPages(db, script, await work.page(request.userId, { script: stored }))
      } catch (error) {
        request.log.error({ err: error, session: script.sessionId }, 'a script could not be read for a search')
        unread.push(script.sessionId)
      }
    }
  })
  return unread.sort((a, b) => b - a)
}
