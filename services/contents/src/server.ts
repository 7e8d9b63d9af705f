import { createS3Store } from '@playtherapy/object-store'
import { beginProgram, s3From } from '@playtherapy/service-kit'
import { serve } from '@playtherapy/service-kit/serve'
import { contentsApp } from './app.ts'
import { ContentsConfig } from './config.ts'

const about = { name: 'contents', summary: 'Cases, sessions and analysis reports' }
const { config } = beginProgram({ ...about, settings: ContentsConfig })
const store = createS3Store(s3From(config))
await serve({
  name: about.name,
  description: about.summary,
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
