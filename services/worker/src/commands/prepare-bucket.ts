import { createS3Store, describeBucket, prepareBucket } from '@playtherapy/object-store'
import { beginProgram, HttpSettings, reach, requireEncryption, StoreSettings, s3From } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { makeGarageKey } from './garage-key.ts'

const { config } = beginProgram({
  name: 'prepare-bucket',
  summary:
    'Creates the bucket or brings its rules up to date, and prints what you should know about it. It may be repeated.',
  settings: Type.Object({
    ...StoreSettings,
    CORS_ORIGINS: HttpSettings.CORS_ORIGINS,
    GARAGE_ADMIN_URL: Type.Optional(Type.String({ pattern: '^https?://[^/]+$' })),
    GARAGE_ADMIN_TOKEN: Type.Optional(Type.String({ minLength: 1 })),
  }),
})
const corsOrigins = config.CORS_ORIGINS.split(',').map((origin) => origin.trim())
const settings = s3From(config)
const { GARAGE_ADMIN_URL: url, GARAGE_ADMIN_TOKEN: token } = config
if (url && token && settings.upload) {
  const key = { url, token, bucket: settings.bucket, ...settings.upload }
  await reach('The admin API of Garage', url, () => makeGarageKey(key))
}
const refused = await reach('The object store', settings.endpoint, () => prepareBucket(settings, { corsOrigins }))
console.log('The bucket is ready.')
for (const rule of refused) console.log(`The server does not support this rule; set it up there by hand: ${rule}`)
for (const sentence of await describeBucket(settings)) console.log(sentence)
const store = createS3Store(settings)
await requireEncryption(store)
const { notice } = await store.judgeUploads()
if (notice) console.log(notice)
store.close()
