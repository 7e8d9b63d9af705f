import {
  ConfigError,
  HttpSettings,
  LinkSettings,
  loadConfig,
  StoreSettings,
  s3From,
  UploadSettings,
} from '@playtherapy/service-kit'
import { providerFrom, WorkerConfig } from '@playtherapy/worker/config'
import { Type } from 'typebox'

const { JWT_SECRET, JWT_AUDIENCE, JWT_ISSUER, CORS_ORIGINS, REQUESTS_PER_MINUTE } = HttpSettings
const { DATABASE_URL, QUEUE_URL } = WorkerConfig.properties

/** The settings of all processes; those that have an embedded part in their place may be left out. */
const Schema = Type.Object({
  ...WorkerConfig.properties,
  JWT_SECRET,
  JWT_AUDIENCE,
  JWT_ISSUER,
  CORS_ORIGINS,
  REQUESTS_PER_MINUTE,
  ...LinkSettings,
  ...UploadSettings,
  DATABASE_URL: Type.Optional(DATABASE_URL),
  QUEUE_URL: Type.Optional(QUEUE_URL),
  DATE_TIME_ZONE: Type.String({ default: 'Asia/Seoul', format: 'time-zone' }),
})

export type Settings = ReturnType<typeof readSettings>

const storeNames = Object.keys(StoreSettings).filter((name) => name.startsWith('S3_'))

/**
 * Reads the settings of the whole stack, so that a fault of a worker is named before anything starts. The object store is
 * S3 as soon as one of its settings is there. Throws ConfigError.
 */
export function readSettings(given: NodeJS.ProcessEnv) {
  if (given.NODE_ENV === 'production') {
    throw new ConfigError('NODE_ENV is production, but `npm start` is not for production: it lets everybody sign up.')
  }
  const foreign = ['JWT_PUBLIC_KEY', 'JWT_JWKS_URL'].find((name) => given[name])
  if (foreign) {
    throw new ConfigError(`${foreign} is set, but \`npm start\` signs tokens of its own: set JWT_SECRET instead.`)
  }
  // --port takes the place of these, and a terminal is no place for every request.
  const env = { ...given, HOST: '', PORT: '', LOG_LEVEL: given.LOG_LEVEL || 'warn' }
  const settings = loadConfig(Schema, env)
  providerFrom(settings, 'transcriber')
  providerFrom(settings, 'analyser')
  const [first] = storeNames.filter((name) => given[name])
  return { ...settings, s3: first ? s3Settings(first, env) : undefined }
}

function s3Settings(first: string, env: NodeJS.ProcessEnv) {
  try {
    return s3From(loadConfig(Type.Object(StoreSettings), env))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(`${error.message}\n${first} is set. Without any S3_… setting, objects are kept in a folder.`)
  }
}
