import { buffer } from 'node:stream/consumers'
import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { errors } from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'
import { scriptLimit } from '../scripts/receive.ts'
import { validateScript } from '../scripts/validate.ts'
import { toPages } from './fold.ts'
import { keepPages, type UnpagedScript, unpagedScripts } from './repository.ts'

/** Scripts that one search reads at a time. */
const concurrency = 2
/** Most bytes of scripts that one process reads for searches at a time. */
const holdLimit = 4 * scriptLimit
/** Longest time that a search spends on reading scripts, in milliseconds. */
const patience = 10_000

/**
 * Makes the newest scripts of the caller's case ready to be searched, those that are not: once after each save, by the
 * first search. So a save costs no more than before, a search finds what was saved a moment ago, and whatever way a
 * script came is searched alike. Answers the sessions whose script could not be read, or not in time. Throws 503 when
 * too many are being read already.
 */
export function scriptPager({ db, store }: { db: Database; store: ObjectStore }) {
  let held = 0

  async function page(unpaged: UnpagedScript, signal: AbortSignal): Promise<void> {
    const { path, etag } = unpaged
    const stream = await store.get(inFolder('script', path), { signal, ...(etag && { ifMatch: etag }) })
    await keepPages(db, unpaged, toPages(validateScript(await buffer(stream), ['script'])))
  }

  return async (request: FastifyRequest): Promise<number[]> => {
    const all = await unpagedScripts(db, request)
    const signal = AbortSignal.timeout(patience)
    const unread: number[] = []
    const next = all.values()
    const work = async () => {
      for (const unpaged of next) {
        if (held + unpaged.size > holdLimit) throw errors.unavailable()
        held += unpaged.size
        try {
          signal.throwIfAborted()
          await page(unpaged, signal)
        } catch (error) {
          request.log.error({ err: error, session: unpaged.sessionId }, 'a script could not be read for a search')
          unread.push(unpaged.sessionId)
        } finally {
          held -= unpaged.size
        }
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    return unread.sort((a, b) => b - a)
  }
}
