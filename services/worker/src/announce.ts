import { type Database, tryLock } from '@playtherapy/schema'
import { announceAnalyses } from './analyse/repository.ts'
import { announceTranscripts } from './transcribe/repository.ts'

/** The providers of this process. */
export interface Announcing {
  transcribes: boolean
  analyses: boolean
}

/**
 * Announces the transcripts of new recordings and the analyses of scripts without a report, so that encodes and saves need
 * not know whether there is a provider; returns the number of jobs. One process at a time does it: it holds the lock
 * `announce`, and locks the sessions.
 */
export const announceDue = (db: Database, { transcribes, analyses }: Announcing): Promise<number> =>
  db.transaction(async (tx) => {
    if (!(await tryLock(tx, 'announce'))) return 0
    const transcripts = await announceTranscripts(tx, transcribes)
    return transcripts + (analyses ? await announceAnalyses(tx) : 0)
  })
