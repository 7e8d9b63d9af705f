import { type Database, tryLock } from '@playtherapy/schema'
import { announceAnalyses } from './analyse/repository.ts'
import { announceTranscripts } from './transcribe/repository.ts'

/** Which providers this process has. */
export interface Announcing {
  transcribes: boolean
  analyses: boolean
}

/**
 * Announces the transcripts of recordings that were just encoded, and the analyses of scripts without a report; returns
 * how many jobs that were. Encodes, and the service that saves scripts, need not know whether there is a provider. One
 * process at a time does it: it holds the lock `announce` for the transaction, in which it locks the sessions too.
 */
export const announceDue = (db: Database, { transcribes, analyses }: Announcing): Promise<number> =>
  db.transaction(async (tx) => {
    if (!(await tryLock(tx, 'announce'))) return 0
    const transcripts = await announceTranscripts(tx, transcribes)
    return transcripts + (analyses ? await announceAnalyses(tx) : 0)
  })
