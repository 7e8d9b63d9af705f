/** The script service's process. */
import { createS3Store } from '@playtherapy/object-store'
import { beginProgram, s3From } from '@playtherapy/service-kit'
import { serve } from '@playtherapy/service-kit/serve'
import { scriptApp } from './app.ts'
import { ScriptConfig } from './config.ts'

const about = { name: 'script', summary: 'Scripts: who said what, when' }
const { config } = beginProgram({ ...about, settings: ScriptConfig })
const store = createS3Store(s3From(config))
await serve({
  name: about.name,
  description: about.summary,
  config,
  store,
  app: (db) => scriptApp({ db, store, phase: config.PHASE }),
})
