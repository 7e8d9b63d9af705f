import { type Background, type Log, repeat } from '@playtherapy/jobs'
import type { ObjectStore, Phase } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { type Announcing, announceDue } from './announce.ts'
import { writeHead } from './audit/head.ts'
import { keepPartitions } from './audit/partitions.ts'
import { createSealer } from './audit/seal.ts'
import { sweepScratch } from './ffmpeg/scratch.ts'
import { createCompleter } from './reconcile/complete-uploads.ts'
import { forgetChanges } from './reconcile/forget-changes.ts'
import { forgetEncodes } from './reconcile/forget-encodes.ts'
import { forgetExports } from './reconcile/forget-exports.ts'
import { forgetKeys } from './reconcile/forget-keys.ts'
import { forgetUploads } from './reconcile/forget-uploads.ts'
import { sweepOrphansAlone } from './reconcile/orphans.ts'
import { createReaper } from './reconcile/reap.ts'
import { announceWebhooks, createWebhookEnder, forgetDeadWebhooks } from './webhook/changes.ts'

/** Longest pauses between two rounds. */
const announceMs = 5_000
const announceWebhooksMs = 1_000
const sealMs = 1_000
const hourMs = 3_600_000
const reapMs = 30_000
const sweepScratchMs = 30_000
/** It is long, because each sweep lists the whole bucket. */
const sweepOrphansMs = hourMs

interface BackgroundResources extends Announcing {
  db: Database
  store: ObjectStore
  phase: Phase
  sendsWebhooks: boolean
  scratchDirectory: string
  /** Called each time when the object store has the head of the audit trail. */
  onHead: () => void
  /** Age in seconds at which an object without a row is removed. */
  orphanGraceSeconds: number
}

/**
 * Starts the background loops of a worker: they announce transcripts, analyses and webhooks, complete uploads and remove rows,
 * objects and scratch files of dead processes, seal the audit trail and keep its partitions, and forget idempotency keys, complete uploads, old encodes, old exports and old changes of sessions.
 */
export function startBackground(resources: BackgroundResources, log: Log): Background {
  const { db, store, sendsWebhooks, scratchDirectory, orphanGraceSeconds } = resources
  const reap = createReaper({ db, store, log })
  const loops = [
    repeat({ name: 'announcer', everyMs: announceMs, log, round: () => announceDue(db, resources) }),
    repeat({ name: 'reaper', everyMs: reapMs, log, round: reap }),
    repeat({ name: 'idempotency keys', everyMs: reapMs, log, round: () => forgetKeys(db) }),
    repeat({ name: 'uploads to complete', everyMs: reapMs, log, round: createCompleter({ db, store }) }),
    repeat({ name: 'uploads to forget', everyMs: reapMs, log, round: () => forgetUploads({ db, store }) }),
    repeat({ name: 'old encodes', everyMs: reapMs, log, round: () => forgetEncodes(db) }),
    repeat({ name: 'old exports', everyMs: reapMs, log, round: () => forgetExports({ db, store }) }),
    repeat({ name: 'old changes', everyMs: reapMs, log, round: () => forgetChanges(db) }),
    sendsWebhooks
      ? repeat({ name: 'webhooks', everyMs: announceWebhooksMs, log, round: () => announceWebhooks(db) })
      : repeat({ name: 'webhooks', everyMs: reapMs, log, round: createWebhookEnder({ db, log }) }),
    repeat({ name: 'dead webhooks', everyMs: reapMs, log, round: () => forgetDeadWebhooks(db) }),
    repeat({ name: 'audit seals', everyMs: sealMs, log, round: createSealer(db) }),
    repeat({ name: 'audit heads', everyMs: hourMs, log, round: () => writeHead(resources).then(resources.onHead) }),
    repeat({ name: 'audit partitions', everyMs: hourMs, log, round: () => keepPartitions(db) }),
    repeat({ name: 'scratch sweep', everyMs: sweepScratchMs, log, round: () => sweepScratch(scratchDirectory) }),
    repeat({
      name: 'orphan sweep',
      everyMs: Math.min(orphanGraceSeconds * 1_000, sweepOrphansMs),
      log,
      round: async () => {
        const orphans = await sweepOrphansAlone(resources, orphanGraceSeconds)
        if (orphans > 0) log.warn({ orphans }, 'objects that no row owned were removed')
      },
    }),
  ]
  return {
    async close() {
      await Promise.all(loops.map((loop) => loop.close()))
    },
  }
}
