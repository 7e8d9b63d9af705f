/**
 * `npm run prepare-bucket`: creates the bucket or brings its rules up to date, and prints what the operator should know
 * about it. It may be repeated.
 */
import { createS3Store, describeBucket, prepareBucket } from '@playtherapy/object-store'
import { HttpSettings, loadConfig, StoreSettings, s3From } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { makeGarageKey } from './garage-key.ts'

const config = loadConfig(
  Type.Object({
    ...StoreSettings,
    CORS_ORIGINS: HttpSettings.CORS_ORIGINS,
    GARAGE_ADMIN_URL: Type.Optional(Type.String({ pattern: '^https?://[^/]+$' })),
    GARAGE_ADMIN_TOKEN: Type.Optional(Type.String({ minLength: 1 })),
  }),
  process.env,
)
const corsOrigins = config.CORS_ORIGINS.split(',').map((origin) => origin.trim())
const settings = s3From(config)
const { GARAGE_ADMIN_URL: url, GARAGE_ADMIN_TOKEN: token } = config
if (url && token && settings.upload) {
  await makeGarageKey({ url, token, bucket: settings.bucket, ...settings.upload })
}
const refused = await prepareBucket(settings, { corsOrigins })
console.log('The bucket is ready.')
for (const rule of refused) console.log(`The server does not support this rule; set it up there by hand: ${rule}`)
for (const sentence of await describeBucket(settings)) console.log(sentence)
const store = createS3Store(settings)
const { notice } = await store.judgeUploads()
if (notice) console.log(notice)
store.close()
