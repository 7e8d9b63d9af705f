/** The script service's process. */
import { createS3Store } from '@playtherapy/object-store'
import { loadConfig, s3From } from '@playtherapy/service-kit'
import { serve } from '@playtherapy/service-kit/serve'
import { scriptApp } from './app.ts'
import { ScriptConfig } from './config.ts'

const config = loadConfig(ScriptConfig, process.env)
const store = createS3Store(s3From(config))
await serve({
  name: 'script',
  description: 'Scripts: who said what, when',
  config,
  store,
  app: (db) => scriptApp({ db, store, phase: config.PHASE }),
})
