import { createPublicKey } from 'node:crypto'
import type { S3Settings } from '@playtherapy/object-store'
import { type Static, type TObject, Type } from 'typebox'
import { type AuthSettings, secretCharacters, secretsPattern } from './auth-settings.ts'
import { invalidSettings } from './config.ts'
import { defaultLinkSeconds } from './links.ts'
import { leastRsaBits } from './published-keys.ts'

/** Settings that several processes share. The schema of each process consists of these and of its own. */

/** A whole number with this default. */
export const integer = (usual: number, description: string, bounds: { minimum: number; maximum?: number }) =>
  Type.Integer({ default: usual, ...bounds, description })

/** A text that may be left out; `fault` says what is wrong with one that does not match the pattern. */
export const optionalText = (
  description: string,
  options: { pattern?: string; fault?: string; unless?: string[]; requiredWith?: string[]; minLength?: number } = {},
) => Type.Optional(Type.String({ minLength: 1, ...options, description }))

const TrustSettings = {
  NODE_EXTRA_CA_CERTS: Type.Optional(
    Type.String({
      format: 'certificates',
      fault: 'must name a PEM file of certificates that this process can read',
      description:
        'PEM file with the certificates of authorities that are trusted beside the public ones: those that signed the certificates of PostgreSQL, Redis, S3, and other servers with TLS. Node.js reads it at the start',
    }),
  ),
}

/** Parameters of other drivers for TLS, which ours would ignore or pass on to the server. */
const noOtherTls = '(?!.*[?&](ssl|sslcert|sslkey|sslrootcert|sslnegotiation|uselibpqcompat)=|.*[?&]sslmode=no-verify)'
const tlsFault =
  'must match postgres://…, with sslmode as its only parameter for TLS: NODE_EXTRA_CA_CERTS names the authority of the certificate'

export const DatabaseSettings = {
  ...TrustSettings,
  DATABASE_URL: Type.String({
    pattern: `^${noOtherTls}postgres(ql)?://`,
    fault: tlsFault,
    description:
      'PostgreSQL 15 or later; with TLS where it ends with `?sslmode=verify-full`. Every `sslmode` but `disable` verifies the certificate and its host name. Where it is missing `PGSSLMODE` or `PGSSL` of the environment says it',
  }),
}

export const QueueSettings = {
  QUEUE_URL: Type.String({
    pattern: `^${noOtherTls}(rediss?(\\+cluster)?|rediss?\\+sentinel(?=://([^/@]*@)?[^/:@]+(:\\d+)?/[^/]+$)|postgres|postgresql)://`,
    fault: tlsFault.replace(
      'postgres://…',
      'redis://…, rediss://…, redis+cluster://…, rediss+cluster://…, redis+sentinel://…/NAME, rediss+sentinel://…/NAME or postgres://…',
    ),
    description:
      'BullMQ on Redis (`redis://…`, `redis+cluster://…` for one node of a cluster, `redis+sentinel://one,two,three:26379/NAME` for Sentinels without a password, which all have this port, and the name of their master, `rediss` with TLS) or on PostgreSQL (`postgres://…`, with TLS as in `DATABASE_URL`)',
  }),
  QUEUE_PREFIX: Type.String({
    default: '{playtherapy}',
    pattern: '^\\{[\\w-]+\\}$',
    description: 'First part of every key in Redis, in braces; installations that share a Redis need different ones',
  }),
}

const http = '^https?://'

export const StoreSettings = {
  ...TrustSettings,
  PHASE: Type.Union([Type.Literal('LOCAL'), Type.Literal('ALPHA'), Type.Literal('RELEASE')], {
    default: 'LOCAL',
    description: '`LOCAL`, `ALPHA` or `RELEASE`: the second folder of every object key',
  }),
  S3_ENDPOINT: optionalText('Address of the S3 server; leave it empty for AWS', { pattern: http }),
  S3_PUBLIC_ENDPOINT: optionalText('Address at which browsers reach the S3 server, if it is another one', {
    pattern: http,
  }),
  S3_REGION: Type.String({ default: 'us-east-1', description: 'S3 region' }),
  S3_BUCKET: Type.String({ minLength: 3, description: 'The bucket that holds all objects' }),
  S3_ACCESS_KEY_ID: Type.String({ minLength: 1, description: 'S3 access key' }),
  S3_SECRET_ACCESS_KEY: Type.String({ minLength: 1, description: 'S3 secret key' }),
  S3_UPLOAD_ACCESS_KEY_ID: optionalText(
    'A second S3 access key, which signs presigned URLs; it should be able to write below `video/` and not to read',
  ),
  S3_UPLOAD_SECRET_ACCESS_KEY: optionalText('The secret key of `S3_UPLOAD_ACCESS_KEY_ID`'),
  S3_ENCRYPTION: Type.Union([Type.Literal('none'), Type.Literal('SSE-S3'), Type.Literal('SSE-KMS')], {
    default: 'none',
    description:
      'Encryption at rest that the S3 server is asked for with every object: `none` leaves it to the bucket, `SSE-S3` takes the keys of the server, `SSE-KMS` the key `S3_ENCRYPTION_KEY_ID`. A process does not start where the server refuses or ignores it. Objects from before stay as they are',
  }),
  S3_ENCRYPTION_KEY_ID: optionalText('Id, ARN or alias of the key, required with `SSE-KMS` and only then'),
  S3_FORCE_PATH_STYLE: Type.Boolean({
    default: true,
    description: 'Whether the bucket is in the path of a URL (`true`) or in its host name',
  }),
}

const origin = 'https?://[^/*,;\\s]+'

export const HttpSettings = {
  HOST: Type.String({ default: '0.0.0.0', description: 'The address on which the process listens' }),
  PORT: integer(8080, 'The port on which the process listens', { minimum: 0, maximum: 65_535 }),
  TRUSTED_PROXY: optionalText(
    'Addresses of the gateways, such as `172.18.0.0/16,10.0.0.7`: the client of a request from there is the one that `X-Forwarded-For` names. Without it that header is not read',
    { pattern: '^[0-9a-fA-F.:]+(/\\d{1,3})?(, *[0-9a-fA-F.:]+(/\\d{1,3})?)*$' },
  ),
  JWT_SECRET: optionalText(
    'HS256 secret that the sign-in service signs its tokens with, at least 32 characters. While another one takes its place several, `secret,secret`: tokens of each are accepted, and the first signs what is signed here. A new one comes to the end, then, once the sign-in service signs with it, to the front, and the old one away when its last token and link have ended',
    {
      minLength: secretCharacters,
      pattern: secretsPattern,
      fault: `must have ${secretCharacters} characters or more in each of its secrets, which commas part`,
      unless: ['JWT_PUBLIC_KEY', 'JWT_JWKS_URL'],
    },
  ),
  JWT_PUBLIC_KEY: optionalText(
    'PEM public key of the sign-in service, of RSA with 2,048 bits or more; `JWT_SECRET` is then ignored',
    {
      pattern: '^-----BEGIN (RSA )?PUBLIC KEY-----',
    },
  ),
  JWT_JWKS_URL: optionalText(
    'Address of the key set (JWKS) of the sign-in service, `https://…`, which is read again every five minutes and when a token names a new key; `JWT_SECRET` and `JWT_PUBLIC_KEY` are then ignored',
    { pattern: '^https?://[^\\s/?#@]+(/[^\\s#]*)?$' },
  ),
  JWT_JWKS_INTERNAL_HOST: optionalText(
    'Host name of `JWT_JWKS_URL` where it is in your own network and speaks plain `http`; `localhost` needs none',
  ),
  JWT_AUDIENCE: optionalText('The audience (`aud`) that tokens must name; not checked if it is not set'),
  JWT_ISSUER: optionalText(
    'The issuer (`iss`) that tokens must name; not checked if it is not set. The keys of a key set may be those of many installations',
    { requiredWith: ['JWT_JWKS_URL'] },
  ),
  REQUESTS_PER_MINUTE: integer(
    1_200,
    'How many requests one therapist may send to one process in a minute; more get 429',
    { minimum: 1 },
  ),
  CORS_ORIGINS: Type.String({
    default: 'http://localhost:3000',
    pattern: `^${origin}(, *${origin})*$`,
    description: 'Origins of the web client, as browsers spell them, separated by commas',
  }),
}

const linkKey = '[\\w-]{1,32}:[^,\\s]{32,}'

export const LinkSettings = {
  LINK_KEYS: optionalText(
    'Keys of signed links and tickets, `id:secret,id:secret`, the same in all services: the first signs, all verify. A new one comes to the end, then to the front, and the old one away after `LINK_SECONDS`. Ids differ, secrets have at least 32 characters. Without it they are derived from `JWT_SECRET`',
    // The first part refuses an id that comes twice.
    {
      pattern: `^(?!(.*,)?([\\w-]+):.*,\\2:)${linkKey}(,${linkKey})*$`,
      requiredWith: ['JWT_PUBLIC_KEY', 'JWT_JWKS_URL'],
    },
  ),
  LINK_SECONDS: integer(defaultLinkSeconds, 'How long a signed link is valid, in seconds: from a minute to a week', {
    minimum: 60,
    maximum: 604_800,
  }),
}

type AuthConfig = Partial<Static<TObject<typeof HttpSettings & typeof LinkSettings>>>

/** Names of this machine. */
const loopback = ['localhost', '127.0.0.1', '[::1]']

/** Throws ConfigError unless the address of the key set is valid, and is one of https or of a host that may do without. */
function keySetFrom({ JWT_JWKS_URL, JWT_JWKS_INTERNAL_HOST = '' }: AuthConfig) {
  if (!JWT_JWKS_URL) return {}
  if (!URL.canParse(JWT_JWKS_URL)) throw invalidSettings('JWT_JWKS_URL is not valid')
  const { protocol, hostname } = new URL(JWT_JWKS_URL)
  if (protocol === 'http:' && ![...loopback, JWT_JWKS_INTERNAL_HOST].includes(hostname)) {
    throw invalidSettings('JWT_JWKS_URL must begin with https:// unless JWT_JWKS_INTERNAL_HOST names its host')
  }
  return { jwksUrl: JWT_JWKS_URL }
}

/** Bits of an RSA key; no limit for other kinds, and 0 for what is no public key. */
function bitsOf(pem: string): number {
  try {
    return createPublicKey(pem).asymmetricKeyDetails?.modulusLength ?? Number.POSITIVE_INFINITY
  } catch {
    return 0
  }
}

/** Throws ConfigError unless the key can be read, and is as long as one of a key set has to be. */
function publicKeyFrom({ JWT_PUBLIC_KEY, JWT_JWKS_URL }: AuthConfig) {
  if (!JWT_PUBLIC_KEY) return {}
  if (!JWT_JWKS_URL && bitsOf(JWT_PUBLIC_KEY) < leastRsaBits) {
    throw invalidSettings(`JWT_PUBLIC_KEY must be a key that can be read, and of RSA have ${leastRsaBits} bits or more`)
  }
  return { jwtPublicKey: JWT_PUBLIC_KEY }
}

/** What the verification of tokens and links needs, from the settings. Throws ConfigError. */
export const authFrom = (config: AuthConfig): AuthSettings => ({
  ...(config.JWT_SECRET && { jwtSecret: config.JWT_SECRET }),
  ...publicKeyFrom(config),
  ...keySetFrom(config),
  ...(config.JWT_AUDIENCE && { jwtAudience: config.JWT_AUDIENCE }),
  ...(config.JWT_ISSUER && { jwtIssuer: config.JWT_ISSUER }),
  ...(config.LINK_KEYS && { linkKeys: config.LINK_KEYS }),
  ...(config.LINK_SECONDS && { linkSeconds: config.LINK_SECONDS }),
})

const gibibyte = 1024 ** 3

export const UploadSettings = {
  UPLOAD_LIMIT_BYTES: integer(
    20 * gibibyte,
    'The largest recording, in bytes; a presigned URL ends at 5 GiB in any case',
    { minimum: 1, maximum: 80 * gibibyte },
  ),
}

export const LogSettings = {
  LOG_LEVEL: Type.Union(
    (['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const).map((level) => Type.Literal(level)),
    {
      default: 'info',
      description: 'The lowest level that is logged: `fatal`, `error`, `warn`, `info`, `debug` or `silent`',
    },
  ),
}

export const TraceSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalText(
    'Address of an OpenTelemetry collector that takes traces as OTLP over HTTP, such as `http://collector:4318`; without it nothing is traced',
    {
      pattern: '^https?://[^\\s/?#@]+(/[^\\s?#]*)?$',
      fault: 'must match http://… or https://…, without a user and a query',
    },
  ),
  OTEL_TRACES_SAMPLER_ARG: Type.Number({
    default: 1,
    minimum: 0,
    maximum: 1,
    description:
      'Which share of the traces is recorded, from 0 to 1; each is recorded whole or not at all. The same in all processes',
  }),
}

type StoreConfig = Static<TObject<typeof StoreSettings>>

/**
 * The settings of the S3 object store. Its public address is its own address unless another one is set. Throws ConfigError
 * if only one half of the upload key is set, or S3_ENCRYPTION_KEY_ID does not go with S3_ENCRYPTION.
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
  ...encryptionFrom(config),
})

function encryptionFrom({ S3_ENCRYPTION, S3_ENCRYPTION_KEY_ID }: StoreConfig): Pick<S3Settings, 'encryption'> {
  if ((S3_ENCRYPTION === 'SSE-KMS') !== Boolean(S3_ENCRYPTION_KEY_ID)) {
    throw invalidSettings('S3_ENCRYPTION_KEY_ID must be set with S3_ENCRYPTION=SSE-KMS and only then')
  }
  if (S3_ENCRYPTION_KEY_ID) {
    return { encryption: { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: S3_ENCRYPTION_KEY_ID } }
  }
  return S3_ENCRYPTION === 'SSE-S3' ? { encryption: { ServerSideEncryption: 'AES256' } } : {}
}

function uploadKeyFrom({ S3_UPLOAD_ACCESS_KEY_ID, S3_UPLOAD_SECRET_ACCESS_KEY }: StoreConfig) {
  if (S3_UPLOAD_ACCESS_KEY_ID && S3_UPLOAD_SECRET_ACCESS_KEY) {
    return { upload: { accessKeyId: S3_UPLOAD_ACCESS_KEY_ID, secretAccessKey: S3_UPLOAD_SECRET_ACCESS_KEY } }
  }
  if (!S3_UPLOAD_ACCESS_KEY_ID && !S3_UPLOAD_SECRET_ACCESS_KEY) return {}
  throw invalidSettings('S3_UPLOAD_ACCESS_KEY_ID and S3_UPLOAD_SECRET_ACCESS_KEY must be set together or not at all')
}
