/** The worker's process: it publishes the outbox and runs its jobs. */
import { countJobs, createWorker } from '@playtherapy/jobs'
import { checkDatabase, openDatabase } from '@playtherapy/schema'
import {
  beginProgram,
  closeOnSignals,
  createHealthHost,
  createLogger,
  createMeter,
  reach,
  reasonOf,
  renewed,
  requireEncryption,
  StoreSettings,
  startHeartbeat,
  startTraces,
} from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { createAnalyseFailed, createAnalyseScript } from './analyse/analyse-script.ts'
import { createTrailMeasures } from './audit/measures.ts'
import { startBackground } from './background.ts'
import { openWorkerStore, providerFrom, receiverFrom, sharesServer, WorkerConfig } from './config.ts'
import { createDeleteSuperseded } from './encode/delete-superseded.ts'
import { createChunkFailed, createEncodeChunk } from './encode/encode-chunk.ts'
import { createEncodeFailed, createEncodeVideo } from './encode/encode-video.ts'
import { createFinishVideo } from './encode/finish-video.ts'
import { createEncodeMeasures } from './encode/measures.ts'
import { createErase } from './erase/erase.ts'
import { openReceiptKey } from './erase/receipt-key.ts'
import { createSweepPresigned } from './erase/sweep-presigned.ts'
import { createExportCase, createExportFailed } from './export/export-case.ts'
import { checkPrograms } from './ffmpeg/check.ts'
import { checkScratch, prepareScratch, scratchRoom } from './ffmpeg/scratch.ts'
import { createJobMeasures } from './job-measures.ts'
import { assertOwnBucket, installationId } from './reconcile/installation.ts'
import { createStartScript } from './transcribe/start-script.ts'
import { createTranscribeFailed, createTranscribeVideo } from './transcribe/transcribe-video.ts'
import { createSendWebhook, createWebhookFailed } from './webhook/send-webhook.ts'

const { config } = beginProgram({
  name: 'worker',
  summary: 'Publishes the outbox and runs its jobs: encodes, transcripts, analyses, removals',
  settings: WorkerConfig,
  otherSettings: Type.Object(StoreSettings),
})
const analyser = providerFrom(config, 'analyser')
const transcriber = providerFrom(config, 'transcriber')
const receiver = receiverFrom(config)
const log = createLogger('worker', config.LOG_LEVEL)
const traces = await startTraces('worker', config)
traces.log = log
const database = openDatabase({ url: config.DATABASE_URL, max: 4, applicationName: 'worker' })
const store = openWorkerStore(process.env)
const { db } = database
const phase = config.PHASE
const keepSeconds = config.EXPORT_KEEP_SECONDS

await requireEncryption(store)
// A worker of a newer release than the schema would take jobs that it cannot do.
await reach('The database', config.DATABASE_URL, () => checkDatabase(db))
const id = await reach('The database', config.DATABASE_URL, () => installationId(db))
await reach('The object store', process.env.S3_ENDPOINT, async () => {
  await assertOwnBucket(id, store, phase)
  await openReceiptKey(db, store, phase)
})
await prepareScratch(config.SCRATCH_DIRECTORY)
const settings = {
  scratchDirectory: config.SCRATCH_DIRECTORY,
  scratchMaxBytes: config.SCRATCH_MAX_BYTES,
  maxSeconds: config.RECORDING_MAX_SECONDS,
  memoryBytes: config.ENCODE_MEMORY_BYTES,
  stallSeconds: config.ENCODE_STALL_SECONDS,
  ffmpegPath: config.FFMPEG_PATH,
  ffprobePath: config.FFPROBE_PATH,
}
/** The least age of the number of jobs in `/metrics`. */
const countMs = 5_000
const meter = createMeter(log)
const encoding = { db, store, settings, measures: createEncodeMeasures(meter) }
const finishVideo = createFinishVideo(encoding)
const startScript = createStartScript({ db, store, phase, transcribes: transcriber !== undefined })
const starting = createWorker({
  queueUrl: config.QUEUE_URL,
  prefix: config.QUEUE_PREFIX,
  database,
  log,
  reasonOf,
  measure: createJobMeasures(meter),
  concurrency: { 'encode-chunk': config.ENCODE_CONCURRENCY },
  handlers: {
    'encode-video': createEncodeVideo(encoding),
    'encode-chunk': createEncodeChunk(encoding),
    async 'finish-video'(payload, context) {
      await finishVideo(payload, context)
      // If this fails the job is tried again, and what is finished is not repeated.
      if (config.STARTER_SCRIPT) await startScript(payload)
    },
    'transcribe-video': createTranscribeVideo({ db, store, phase, transcriber, settings }),
    'analyse-script': createAnalyseScript({ db, store, phase, analyser }),
    'delete-superseded': createDeleteSuperseded({ db, store, phase }),
    'sweep-presigned': createSweepPresigned({ db, store }),
    erase: createErase({ db, store, phase }),
    'erase-video': createErase({ db, store, phase }),
    'export-case': createExportCase({ db, store, phase, keepSeconds }),
    'send-webhook': createSendWebhook({ db, receiver, meter }),
  },
  onFailed: {
    'encode-video': createEncodeFailed(db),
    'encode-chunk': createChunkFailed(db),
    'finish-video': createEncodeFailed(db),
    'transcribe-video': createTranscribeFailed(db),
    'analyse-script': createAnalyseFailed(db),
    'export-case': createExportFailed({ db, keepSeconds }),
    'send-webhook': createWebhookFailed(db),
  },
})
const worker = await reach('The queue', config.QUEUE_URL, () => starting)
const { SCRATCH_DIRECTORY: scratchDirectory, ORPHAN_GRACE_SECONDS: orphanGraceSeconds } = config
const announcing = { transcribes: transcriber !== undefined, analyses: analyser !== undefined }
const duties = {
  ...announcing,
  sendsWebhooks: receiver !== undefined,
  orphanGraceSeconds,
  onHead: createTrailMeasures(db, meter),
}
const background = startBackground({ db, store, phase, ...duties, scratchDirectory }, log)
// The statement reads the whole outbox, so scrapes share it.
const jobs = renewed(() => countJobs(db), countMs)
meter.gauges(
  {
    jobs_unpublished: { help: 'Jobs that are due and that the queue does not have yet' },
    jobs_published: { help: 'Jobs that the queue has' },
    jobs_failed: { help: 'Jobs that were given up because of us, and that an operator has to mend' },
    jobs_refused: { help: 'Jobs that were given up because of their recording or script' },
    jobs_oldest_seconds: { help: 'Age of the oldest job that is due and has not ended' },
  },
  () => jobs.get(),
)
const waiting = renewed(() => worker.waitingSeconds(), countMs)
meter.gauges(
  {
    jobs_waiting_oldest_seconds: {
      help: 'For how long the oldest job that waits for a worker has been due',
      labels: ['kind'],
    },
  },
  async () => ({
    jobs_waiting_oldest_seconds: [...(await waiting.get())].map(([kind, value]) => ({ labels: { kind }, value })),
  }),
)
meter.gauges(
  {
    scratch_free_bytes: { help: 'Free bytes of the disk of scratch files' },
    scratch_size_bytes: { help: 'Bytes of the disk of scratch files' },
  },
  async () => {
    const { freeBytes, totalBytes } = await scratchRoom(config.SCRATCH_DIRECTORY)
    return { scratch_free_bytes: freeBytes, scratch_size_bytes: totalBytes }
  },
)
const health = createHealthHost(
  {
    database: () => checkDatabase(db),
    objects: () => store.check(),
    queue: () => worker.checkQueue(),
    outbox: () => worker.checkOutbox(),
    scratch: () => checkScratch(config.SCRATCH_DIRECTORY),
    ffmpeg: checkPrograms(settings),
  },
  meter,
  log,
  { outbox: 'database', ...(sharesServer(config.QUEUE_URL, config.DATABASE_URL) && { queue: 'database' }) },
)
await health.listen({ host: config.HOST, port: config.PORT })
const heartbeat = startHeartbeat({ db, kind: 'worker', log, scratch: () => scratchRoom(scratchDirectory) })

// `npm start` waits for this; another parent has no channel to us.
if (process.connected) process.send?.('ready')

closeOnSignals({
  name: 'worker',
  async close() {
    await Promise.all([worker.close(), background.close(), heartbeat.close()])
    await health.close()
    store.close()
    await Promise.all([database.close(), traces.close()])
  },
})
