import { type Static, type TObject, Type } from 'typebox'
import { ConfigError } from './config.ts'

/** Settings that several processes share; each process composes its schema of these and its own. */

export const DatabaseSettings = {
  DATABASE_URL: Type.String({ pattern: '^postgres(ql)?://', description: 'PostgreSQL 15 or later' }),
}

export const QueueSettings = {
  QUEUE_URL: Type.String({
    pattern: '^(rediss?(\\+cluster)?|postgres|postgresql)://',
    description:
      'BullMQ on Redis (`redis://…`, `redis+cluster://…` for one node of a cluster, `rediss` with TLS) or on PostgreSQL (`postgres://…`)',
  }),
  QUEUE_PREFIX: Type.String({
    default: '{playtherapy}',
    pattern: '^\\{[\\w-]+\\}$',
    description: 'Before every key in Redis; another one, in braces, for each installation that shares a Redis',
  }),
}

export const StoreSettings = {
  PHASE: Type.Union([Type.Literal('LOCAL'), Type.Literal('ALPHA'), Type.Literal('RELEASE')], {
    default: 'LOCAL',
    description: '`LOCAL`, `ALPHA` or `RELEASE`: second folder of every object key',
  }),
  S3_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://', description: 'S3 server; none for AWS' })),
  S3_PUBLIC_ENDPOINT: Type.Optional(
    Type.String({ pattern: '^https?://', description: 'Address of the S3 server that browsers reach' }),
  ),
  S3_REGION: Type.String({ default: 'us-east-1', description: 'S3 region' }),
  S3_BUCKET: Type.String({ minLength: 3, description: 'Bucket of all objects' }),
  S3_ACCESS_KEY_ID: Type.String({ minLength: 1, description: 'S3 access key' }),
  S3_SECRET_ACCESS_KEY: Type.String({ minLength: 1, description: 'S3 secret key' }),
  S3_UPLOAD_ACCESS_KEY_ID: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'A second S3 key, which may write below `video/` and not read, for presigned URLs',
    }),
  ),
  S3_UPLOAD_SECRET_ACCESS_KEY: Type.Optional(Type.String({ minLength: 1, description: 'Its secret key' })),
  S3_FORCE_PATH_STYLE: Type.Boolean({ default: true, description: 'Bucket in the path rather than in the host name' }),
}

const origin = 'https?://[^/*,;\\s]+'

export const HttpSettings = {
  HOST: Type.String({ default: '0.0.0.0', description: 'Address to listen on' }),
  PORT: Type.Integer({ default: 8080, minimum: 0, maximum: 65_535, description: 'Port to listen on' }),
  JWT_SECRET: Type.Optional(
    Type.String({ minLength: 32, unless: 'JWT_PUBLIC_KEY', description: 'HS256 secret, at least 32 characters' }),
  ),
  JWT_PUBLIC_KEY: Type.Optional(
    Type.String({
      pattern: '^-----BEGIN (RSA )?PUBLIC KEY-----',
      description: 'PEM public key, which then alone counts',
    }),
  ),
  JWT_AUDIENCE: Type.Optional(
    Type.String({ minLength: 1, description: 'Audience (`aud`) that tokens must be for; any where it is not set' }),
  ),
  JWT_ISSUER: Type.Optional(
    Type.String({ minLength: 1, description: 'Issuer (`iss`) that tokens must come from; any where it is not set' }),
  ),
  REQUESTS_PER_MINUTE: Type.Integer({
    default: 1_200,
    minimum: 1,
    description: 'Requests that one therapist may make in a minute, on each process; beyond it 429',
  }),
  CORS_ORIGINS: Type.String({
    default: 'http://localhost:3000',
    pattern: `^${origin}(, *${origin})*$`,
    description: 'Origins of the web client, each as browsers spell it, comma-separated',
  }),
}

const gibibyte = 1024 ** 3

export const UploadSettings = {
  UPLOAD_LIMIT_BYTES: Type.Integer({
    default: 20 * gibibyte,
    minimum: 1,
    maximum: 80 * gibibyte,
    description: 'Largest recording; at most 5 GiB by a presigned URL',
  }),
}

export const LogSettings = {
  LOG_LEVEL: Type.Union(
    (['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const).map((level) => Type.Literal(level)),
    { default: 'info', description: '`fatal`, `error`, `warn`, `info`, `debug` or `silent`' },
  ),
}

type StoreConfig = Static<TObject<typeof StoreSettings>>

/**
 * What the S3 object store needs, from the settings; its public address is its own unless one is set. Throws ConfigError
 * for half an upload key.
 */
export const s3From = (config: StoreConfig) => ({
  region: config.S3_REGION,
  bucket: config.S3_BUCKET,
  accessKeyId: config.S3_ACCESS_KEY_ID,
  secretAccessKey: config.S3_SECRET_ACCESS_KEY,
  forcePathStyle: config.S3_FORCE_PATH_STYLE,
  ...(config.S3_ENDPOINT && { endpoint: config.S3_ENDPOINT }),
  ...(config.S3_PUBLIC_ENDPOINT && { publicEndpoint: config.S3_PUBLIC_ENDPOINT }),
  ...uploadKeyFrom(config),
})

function uploadKeyFrom({ S3_UPLOAD_ACCESS_KEY_ID, S3_UPLOAD_SECRET_ACCESS_KEY }: StoreConfig) {
  if (S3_UPLOAD_ACCESS_KEY_ID && S3_UPLOAD_SECRET_ACCESS_KEY) {
    return { upload: { accessKeyId: S3_UPLOAD_ACCESS_KEY_ID, secretAccessKey: S3_UPLOAD_SECRET_ACCESS_KEY } }
  }
  if (!S3_UPLOAD_ACCESS_KEY_ID && !S3_UPLOAD_SECRET_ACCESS_KEY) return {}
  throw new ConfigError(
    'The configuration is not valid:\n  S3_UPLOAD_ACCESS_KEY_ID and S3_UPLOAD_SECRET_ACCESS_KEY are set together or not at all',
  )
}
