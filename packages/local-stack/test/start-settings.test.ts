/** What `npm start` says of its environment before anything starts. */
import t from 'tap'
import { readSettings } from '../src/settings.ts'

const s3 = { S3_BUCKET: 'bucket', S3_ACCESS_KEY_ID: 'key', S3_SECRET_ACCESS_KEY: 'secret' }

t.test('without any setting all parts are embedded', async (t) => {
  t.match(readSettings({}), { s3: undefined, LOG_LEVEL: 'warn', PHASE: 'LOCAL', FFMPEG_PATH: 'ffmpeg' })
  t.match(readSettings({ S3_ENDPOINT: '', PORT: 'of another program', HOST: '' }), { s3: undefined })
})

t.test('S3 is used as soon as one of its settings is there, and what it lacks is named', async (t) => {
  t.match(readSettings({ ...s3, S3_ENDPOINT: 'http://s3:9000' }).s3, { bucket: 'bucket', endpoint: 'http://s3:9000' })
  for (const [name, value] of Object.entries({ ...s3, S3_ENDPOINT: 'http://s3:9000', S3_REGION: 'eu-1' })) {
    const message = new RegExp(
      `is required[\\s\\S]+\n${name} is set. Without any S3_… setting, objects are kept in a folder`,
    )
    t.throws(() => readSettings({ [name]: value }), { name: 'ConfigError', message })
  }
})

t.test('a setting of any process that is not valid is named, and no value', async (t) => {
  const wrong: [env: NodeJS.ProcessEnv, message: RegExp][] = [
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL must be one of fatal, error, warn, info, debug, silent/],
    [{ JWT_SECRET: 'short' }, /JWT_SECRET must NOT have fewer than 32/],
    [{ NODE_ENV: 'production' }, /`npm start` is not for production/],
    [{ JWT_PUBLIC_KEY: 'any' }, /`npm start` signs tokens of its own/],
    [{ JWT_JWKS_URL: 'any' }, /JWT_JWKS_URL is set, but `npm start` signs tokens of its own/],
    [{ DATABASE_URL: 'mysql://db' }, /DATABASE_URL must match/],
    [{ QUEUE_URL: 'amqp://queue' }, /QUEUE_URL must match/],
    [{ DATE_TIME_ZONE: 'Seoul' }, /DATE_TIME_ZONE must match/],
    [{ TRANSCRIBER_URL: 'http://ears/v1' }, /TRANSCRIBER_MODEL is required with TRANSCRIBER_URL/],
    [{ TRANSCRIBER_MODEL: 'ears' }, /TRANSCRIBER_URL is required with TRANSCRIBER_MODEL/],
    [{ ANALYSER_API_KEY: 'key' }, /ANALYSER_URL is required with ANALYSER_API_KEY/],
    [{ STARTER_SCRIPT: 'yes' }, /STARTER_SCRIPT must be boolean/],
    [{ ENCODE_CONCURRENCY: '0' }, /ENCODE_CONCURRENCY must be/],
    [{ ...s3, S3_UPLOAD_ACCESS_KEY_ID: 'half' }, /must be set together/],
  ]
  for (const [env, message] of wrong) t.throws(() => readSettings(env), { name: 'ConfigError', message })
  const both = { LOG_LEVEL: 'loud', ENCODE_CONCURRENCY: 'many' }
  t.throws(() => readSettings(both), {
    message: /LOG_LEVEL[\s\S]+ENCODE_CONCURRENCY|ENCODE_CONCURRENCY[\s\S]+LOG_LEVEL/,
  })
})
