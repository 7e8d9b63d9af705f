import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Run, readScript, type ScriptOptions } from '../scripts/service.ts'
import type { pageScript } from './fold.ts'
import { keepPages, unpagedScripts } from './repository.ts'

export interface SearchOptions extends ScriptOptions {
  work: { page: Run<typeof pageScript> }
}

/** Longest time that a search spends on reading scripts. */
const readingMs = 10_000

/**
 * Makes the newest scripts of the caller's case ready to be searched, those that are not, one after the other: once
 * after each save, by the first search. So a save costs no more than before, a search finds what was saved a moment ago,
 * and whatever way a script came is searched alike. Returns the sessions whose script could not be read, or not in time.
 * Throws 429 and 503 when too much is being read already.
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
  // What is kept has each text twice: folded, and as it was said.
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
