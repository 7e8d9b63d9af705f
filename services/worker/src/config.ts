import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileStore, createS3Store, type ObjectStore, patienceOfJobs } from '@playtherapy/object-store'
import {
  DatabaseSettings,
  integer,
  invalidSettings,
  LogSettings,
  loadConfig,
  optionalText,
  QueueSettings,
  StoreSettings,
  s3From,
  TraceSettings,
} from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'
import type { Provider } from './provider/provider.ts'
import { allowedAddresses, isAllowedHost } from './webhook/address.ts'
import type { Receiver } from './webhook/post.ts'

const mebibyte = 1024 ** 2
const gibibyte = 1024 ** 3

export const ReconcileSettings = {
  PHASE: StoreSettings.PHASE,
  ORPHAN_GRACE_SECONDS: integer(86_400, 'Age at which an object that no row owns is removed', { minimum: 1 }),
}

const url = { pattern: '^https?://[^\\s?#@]*[^\\s?#@/]$' }

const webhookSecret = 'whsec_([A-Za-z0-9+/]{4}){8,21}([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?'

export const WorkerConfig = Type.Object({
  ...DatabaseSettings,
  ...QueueSettings,
  ...LogSettings,
  ...TraceSettings,
  ...ReconcileSettings,
  TRANSCRIBER_URL: optionalText(
    'OpenAI-compatible server that writes scripts of recordings, such as `https://…/v1`; without it nothing is sent',
    url,
  ),
  TRANSCRIBER_API_KEY: optionalText('Its bearer token'),
  TRANSCRIBER_MODEL: optionalText('The model to ask for; required with `TRANSCRIBER_URL`'),
  STARTER_SCRIPT: Type.Boolean({
    default: false,
    description:
      'Whether an encode is followed by an empty first script where no transcriber writes one, for clients that show a recording only beside its script',
  }),
  EXPORT_KEEP_SECONDS: integer(604_800, 'For how long the export of a case can be downloaded, a week', {
    minimum: 60,
    maximum: 31_536_000,
  }),
  ANALYSER_URL: optionalText(
    'OpenAI-compatible server that writes reports of scripts, such as `https://…/v1`; without it nothing is sent',
    url,
  ),
  ANALYSER_API_KEY: optionalText('Its bearer token'),
  ANALYSER_MODEL: optionalText('The model to ask for; required with `ANALYSER_URL`'),
  WEBHOOK_URL: optionalText(
    'Where the webhooks of all sessions are sent to; without it none are written. Plain `http` only to `WEBHOOK_INTERNAL_ADDRESSES`. The same in all workers',
    { pattern: '^https?://[^\\s/?#@]+(/[^\\s#]*)?$' },
  ),
  WEBHOOK_SECRET: optionalText(
    'Secret of the signatures, `whsec_` and 24 to 64 bytes in base64; up to four, separated by commas, while a new one is introduced: each signs every webhook',
    { pattern: `^${webhookSecret}(,${webhookSecret}){0,3}$`, requiredWith: ['WEBHOOK_URL'] },
  ),
  WEBHOOK_INTERNAL_ADDRESSES: optionalText(
    'Addresses that are not of the internet to which webhooks may be sent all the same, such as `10.1.2.3,172.18.0.0/16`',
  ),
  HOST: Type.String({ default: '0.0.0.0', description: 'Address of the health routes' }),
  PORT: integer(8080, 'Port of the health routes', { minimum: 0, maximum: 65_535 }),
  ENCODE_CONCURRENCY: integer(
    1,
    'Chunks that one worker encodes at once; one already uses every core. Beside them it plans one recording, and copies its picture where that needs no encode and the original has at most 256 MiB',
    { minimum: 1, maximum: availableParallelism() },
  ),
  ENCODE_STALL_SECONDS: integer(120, 'An ffmpeg without progress for so long is killed', { minimum: 5 }),
  ENCODE_MEMORY_BYTES: integer(
    768 * mebibyte,
    'Memory of one ffmpeg; a chunk in 8K needs the default. A worker takes twice as much: it plans, encodes and ends recordings at once',
    { minimum: 64 * mebibyte },
  ),
  RECORDING_MAX_SECONDS: integer(43_200, 'Longest recording that is encoded, twelve hours', {
    minimum: 60,
    maximum: 1_800_000,
  }),
  SCRATCH_DIRECTORY: Type.String({
    default: join(tmpdir(), 'playtherapy-scratch'),
    description:
      'Where what is encoded lies until it is stored; on a disk, not in memory. The end of an encode takes the size of its rendition, each chunk that is encoded at the same time its own size, which for a copied picture is about that of its original, and a plan up to 256 MiB where it copies',
  }),
  SCRATCH_MAX_BYTES: integer(10 * gibibyte, 'Largest rendition', { minimum: 1 }),
  FFMPEG_PATH: Type.String({ default: 'ffmpeg', description: 'The ffmpeg program' }),
  FFPROBE_PATH: Type.String({ default: 'ffprobe', description: 'The ffprobe program' }),
})

type ProviderSettings = Pick<
  Static<typeof WorkerConfig>,
  `${'TRANSCRIBER' | 'ANALYSER'}_${'URL' | 'API_KEY' | 'MODEL'}`
>

/** The transcriber or the analyser, if one is configured. Throws ConfigError when only a part of it is set. */
export function providerFrom(config: ProviderSettings, role: 'transcriber' | 'analyser'): Provider | undefined {
  const prefix = role === 'transcriber' ? 'TRANSCRIBER' : 'ANALYSER'
  const [url, apiKey, model] = [config[`${prefix}_URL`], config[`${prefix}_API_KEY`], config[`${prefix}_MODEL`]]
  const refuse = (missing: string, given: string) =>
    invalidSettings(`${prefix}_${missing} is required with ${prefix}_${given}`)
  if (!url && (model || apiKey)) throw refuse('URL', model ? 'MODEL' : 'API_KEY')
  if (!url) return undefined
  if (!model) throw refuse('MODEL', 'URL')
  return { role, url, model, ...(apiKey && { apiKey }) }
}

type WebhookSettings = Pick<Static<typeof WorkerConfig>, `WEBHOOK_${'URL' | 'SECRET' | 'INTERNAL_ADDRESSES'}`>

/**
 * The receiver of webhooks, if one is configured. Throws ConfigError when its address or an internal one is not valid, and when
 * nothing could ever be sent to it.
 */
export function receiverFrom(config: WebhookSettings): Receiver | undefined {
  const { WEBHOOK_URL: url, WEBHOOK_SECRET: secret, WEBHOOK_INTERNAL_ADDRESSES: internal } = config
  if (!url || !secret) return undefined
  if (!URL.canParse(url)) throw invalidSettings('WEBHOOK_URL is not valid')
  const { protocol, hostname } = new URL(url)
  const internalAddresses = internal ? internal.split(/, */) : []
  if (protocol === 'http:' && !internal) throw invalidSettings('WEBHOOK_INTERNAL_ADDRESSES is required with plain http')
  try {
    if (isAllowedHost(hostname, allowedAddresses(internalAddresses, protocol === 'http:'))) {
      return { url: new URL(url), secrets: secret.split(','), internalAddresses }
    }
  } catch {
    throw invalidSettings('WEBHOOK_INTERNAL_ADDRESSES is not valid')
  }
  throw invalidSettings('WEBHOOK_URL is an address that WEBHOOK_INTERNAL_ADDRESSES does not name')
}

/**
 * A worker's object store: S3, or the folder in FILE_STORE_DIRECTORY, which the local stack sets. It gives out no URLs, so
 * the folder needs no address and no secret.
 */
export function openWorkerStore(env: NodeJS.ProcessEnv): ObjectStore {
  const directory = env.FILE_STORE_DIRECTORY
  if (directory) return createFileStore({ directory })
  return createS3Store(s3From(loadConfig(Type.Object(StoreSettings), env)), patienceOfJobs)
}

/** Whether the queue is on the PostgreSQL server of the database, so that it is down whenever that one is. */
export function sharesServer(queueUrl: string, databaseUrl: string): boolean {
  if (queueUrl === databaseUrl) return true
  if (!URL.canParse(queueUrl) || !URL.canParse(databaseUrl)) return false
  const [queue, database] = [new URL(queueUrl), new URL(databaseUrl)]
  const isPostgres = queue.protocol.startsWith('postgres')
  return isPostgres && queue.hostname === database.hostname && (queue.port || '5432') === (database.port || '5432')
}
