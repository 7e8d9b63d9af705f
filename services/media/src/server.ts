import { createFindPlace, createS3Store } from '@playtherapy/object-store'
import { beginProgram, s3From } from '@playtherapy/service-kit'
import { serve } from '@playtherapy/service-kit/serve'
import { mediaApp } from './app.ts'
import { MediaConfig } from './config.ts'

const about = { name: 'media', summary: 'Upload and playback of recordings' }
const { config } = beginProgram({ ...about, settings: MediaConfig })
const store = createS3Store(s3From(config))
const prefix = config.PLAYBACK_ACCEL_PREFIX
await serve({
  name: about.name,
  description: about.summary,
  config,
  store,
  app: (db) => async (app) => {
    await app.register(
      mediaApp({
        db,
        store,
        phase: config.PHASE,
        uploadLimit: config.UPLOAD_LIMIT_BYTES,
        uploadLeastRate: config.UPLOAD_MIN_BYTES_PER_SECOND,
        uploadExpirySeconds: config.UPLOAD_EXPIRY_SECONDS,
        ...(prefix && { gateway: { prefix, findPlace: createFindPlace(s3From(config)) } }),
      }),
    )
    // The start does not wait for this: all else works without a store, and the first request for a URL checks again.
    app.addHook('onReady', async () => {
      store.judgeUploads().then(
        ({ safe, notice }) => notice && (safe ? app.log.warn(notice) : app.log.error(notice)),
        (error: unknown) => app.log.warn({ err: error }, 'whether presigned URLs are safe here is not known yet'),
      )
    })
  },
})
