/** Makes the bucket of a new installation, or brings its rules up to date: `npm run prepare-bucket`. Safe to repeat. */
import { prepareBucket } from '@playtherapy/object-store'
import { HttpSettings, loadConfig, StoreSettings, s3From } from '@playtherapy/service-kit'
import { Type } from 'typebox'

const config = loadConfig(Type.Object({ ...StoreSettings, CORS_ORIGINS: HttpSettings.CORS_ORIGINS }), process.env)
const corsOrigins = config.CORS_ORIGINS.split(',').map((origin) => origin.trim())
const refused = await prepareBucket(s3From(config), { corsOrigins })
console.log('The bucket is ready.')
for (const rule of refused) console.log(`The server does not know this rule, set it up there by hand: ${rule}`)
