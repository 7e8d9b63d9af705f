import type { ObjectStore } from '@playtherapy/object-store'
import type { Database, Pool } from '@playtherapy/schema'
import { inTime, type Renewed, renewed } from '@playtherapy/service-kit'
import type { FastifyBaseLogger } from 'fastify'
import type { BytesHeld } from './bytes.ts'
import { countJobs, encodedSeconds, givenUpJobs, type Mark, runningProcesses } from './repository.ts'
import type { Operations } from './schemas.ts'

const overviewMs = 1_000
/** The first sums of all bytes take longer where there are millions of recordings, and are shown when they are there. */
const bytesMs = 1_000

/** Most pages that are kept. Operators leaf through few, but a mark may be any number. */
const mostPages = 100

/** Later pages of given-up jobs, by the text of their mark, each read anew when it is a second old. */
export function createPages(db: Database) {
  const pages = new Map<string, Renewed<Page>>()
  return {
    get(after: string): Promise<Page> {
      const page = pages.get(after) ?? renewed(() => db.heavy(0, (pool) => readPage(pool, markOf(after))), overviewMs)
      if (pages.size >= mostPages) pages.clear()
      pages.set(after, page)
      return page.get()
    },
    /** All pages are read again. */
    forget: () => pages.clear(),
  }
}

/** The mark of a text that `OperationsQuery` allows. */
const markOf = (text: string): Mark => {
  const [isNoWebhook, hasFailed, id] = text.split('-')
  return [isNoWebhook === '1', hasFailed === '1', Number(id)]
}

type Page = Pick<Operations, 'given_up' | 'next'>

async function readPage(pool: Pool, after: Mark | undefined): Promise<Page> {
  const { page, next } = await givenUpJobs(pool, after)
  return {
    given_up: page.map(({ id, name, ids, attempts, at, reason, isRefused }) => ({
      ...{ id, name, ids: { ...ids }, attempts, at: at.toISOString(), reason },
      how: isRefused ? 'refused' : 'failed',
    })),
    next: next ? `${Number(next[0])}-${Number(next[1])}-${next[2]}` : null,
  }
}

const roomOf = (freeBytes: number | null | undefined, totalBytes: number | null | undefined) =>
  freeBytes != null && totalBytes != null ? { free_bytes: freeBytes, total_bytes: totalBytes } : null

/** What operators see, read anew when it is a second old. A part that only the disk can tell is left out when that fails. */
export function createOverview(
  db: Database,
  store: Pick<ObjectStore, 'room'>,
  bytes: Renewed<BytesHeld>,
  log: Pick<FastifyBaseLogger, 'warn'>,
): Renewed<Operations> {
  const orNull = async <T>(reading: Promise<T>): Promise<T | null> =>
    reading.catch((error: unknown) => {
      log.warn({ err: error }, 'a part of the operations could not be read')
      return null
    })
  const ofDatabase = async (pool: Pool) => {
    const counts = await countJobs(pool)
    const running = await runningProcesses(pool)
    const ages = counts.flatMap(({ oldest_seconds }) => oldest_seconds ?? [])
    return {
      jobs: counts.map(({ oldest_seconds: _, ...job }) => job),
      queue: {
        depth: counts.reduce((sum, { waiting }) => sum + waiting, 0),
        oldest_seconds: ages.length > 0 ? Math.max(...ages) : null,
      },
      ...(await readPage(pool, undefined)),
      processes: running.map(({ startedAt, seenAt, isAlive, scratchFreeBytes, scratchBytes, ...process }) => ({
        ...process,
        started_at: startedAt.toISOString(),
        seen_at: seenAt.toISOString(),
        alive: isAlive,
        scratch: roomOf(scratchFreeBytes, scratchBytes),
      })),
      encoded_seconds: await encodedSeconds(pool),
    }
  }
  return renewed(async () => {
    const found = await db.heavy(0, ofDatabase)
    const room = await orNull(store.room())
    return {
      at: new Date().toISOString(),
      ...found,
      bytes: await orNull(inTime(bytes.get(), bytesMs)),
      disk: roomOf(room?.freeBytes, room?.totalBytes),
    }
  }, overviewMs)
}
