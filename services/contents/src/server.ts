import { createS3Store } from '@playtherapy/object-store'
import { loadConfig, s3From } from '@playtherapy/service-kit'
import { serve } from '@playtherapy/service-kit/serve'
import { contentsApp } from './app.ts'
import { ContentsConfig } from './config.ts'

const config = loadConfig(ContentsConfig, process.env)
const store = createS3Store(s3From(config))
await serve({
  name: 'contents',
  description: 'Cases, sessions and analysis reports',
  config,
  store,
  needsStore: false,
  app: (db) =>
    contentsApp({
      db,
      store,
      phase: config.PHASE,
      timeZone: config.DATE_TIME_ZONE,
      uploadLimit: config.UPLOAD_LIMIT_BYTES,
    }),
})
