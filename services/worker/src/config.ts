import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileStore, createS3Store, type ObjectStore } from '@playtherapy/object-store'
import {
  ConfigError,
  DatabaseSettings,
  LogSettings,
  loadConfig,
  QueueSettings,
  StoreSettings,
  s3From,
} from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'
import type { Provider } from './provider/provider.ts'

const mebibyte = 1024 ** 2
const gibibyte = 1024 ** 3

export const ReconcileSettings = {
  PHASE: StoreSettings.PHASE,
  ORPHAN_GRACE_SECONDS: Type.Integer({
    default: 86_400,
    minimum: 1,
    description: 'Age at which an object that no row owns is removed',
  }),
}

const providerUrl = (description: string) =>
  Type.Optional(Type.String({ pattern: '^https?://[^\\s?#@]*[^\\s?#@/]$', description }))

export const WorkerConfig = Type.Object({
  ...DatabaseSettings,
  ...QueueSettings,
  ...LogSettings,
  ...ReconcileSettings,
  TRANSCRIBER_URL: providerUrl(
    'OpenAI-compatible server that writes scripts of recordings, such as `https://…/v1`; without it nothing is sent',
  ),
  TRANSCRIBER_API_KEY: Type.Optional(Type.String({ minLength: 1, description: 'Its bearer token' })),
  TRANSCRIBER_MODEL: Type.Optional(
    Type.String({ minLength: 1, description: 'The model to ask for; required with `TRANSCRIBER_URL`' }),
  ),
  ANALYSER_URL: providerUrl(
    'OpenAI-compatible server that writes reports of scripts, such as `https://…/v1`; without it nothing is sent',
  ),
  ANALYSER_API_KEY: Type.Optional(Type.String({ minLength: 1, description: 'Its bearer token' })),
  ANALYSER_MODEL: Type.Optional(
    Type.String({ minLength: 1, description: 'The model to ask for; required with `ANALYSER_URL`' }),
  ),
  HOST: Type.String({ default: '0.0.0.0', description: 'Address of the health routes' }),
  PORT: Type.Integer({ default: 8080, minimum: 0, maximum: 65_535, description: 'Port of the health routes' }),
  ENCODE_CONCURRENCY: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: availableParallelism(),
    description: 'Encodes at once in one worker; one already uses every core',
  }),
  ENCODE_STALL_SECONDS: Type.Integer({
    default: 120,
    minimum: 5,
    description: 'An ffmpeg without progress for so long is killed',
  }),
  ENCODE_MEMORY_BYTES: Type.Integer({
    default: 768 * mebibyte,
    minimum: 64 * mebibyte,
    description: 'Memory of one ffmpeg; 8K needs the default. A worker takes 256 MiB beside its encodes',
  }),
  RECORDING_MAX_SECONDS: Type.Integer({
    default: 43_200,
    minimum: 60,
    maximum: 1_800_000,
    description: 'Longest recording that is encoded, twelve hours',
  }),
  SCRATCH_DIRECTORY: Type.String({
    default: join(tmpdir(), 'playtherapy-scratch'),
    description: 'Where a rendition is muxed before it is stored; on a disk, not in memory',
  }),
  SCRATCH_MAX_BYTES: Type.Integer({ default: 10 * gibibyte, minimum: 1, description: 'Largest rendition' }),
  FFMPEG_PATH: Type.String({ default: 'ffmpeg', description: 'The ffmpeg program' }),
  FFPROBE_PATH: Type.String({ default: 'ffprobe', description: 'The ffprobe program' }),
})

/** The transcriber or the analyser, if one is configured. Throws ConfigError when its model is missing. */
export function providerFrom(
  config: Static<typeof WorkerConfig>,
  role: 'transcriber' | 'analyser',
): Provider | undefined {
  const prefix = role === 'transcriber' ? 'TRANSCRIBER' : 'ANALYSER'
  const [url, apiKey, model] = [config[`${prefix}_URL`], config[`${prefix}_API_KEY`], config[`${prefix}_MODEL`]]
  if (!url) return undefined
  if (!model) throw new ConfigError(`The configuration is not valid:\n  ${prefix}_MODEL is required with ${prefix}_URL`)
  return { role, url, model, ...(apiKey && { apiKey }) }
}

/**
 * A worker's object store: S3, or the folder in FILE_STORE_DIRECTORY, which the local stack sets. It gives out no URLs, so
 * the folder needs no address and no secret.
 */
export function openWorkerStore(env: NodeJS.ProcessEnv): ObjectStore {
  const directory = env.FILE_STORE_DIRECTORY
  if (directory) return createFileStore({ directory })
  return createS3Store(s3From(loadConfig(Type.Object(StoreSettings), env)))
}
