import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import {
  type ScriptStanding,
  SessionGoneError,
  StaleVersionError,
  StoreFailedError,
  saveVersion,
  scriptStanding,
  scriptSteps,
} from '@playtherapy/intake'
import { inFolder, type ObjectStore, type Phase } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { errors } from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'
import type { ScriptRecord } from '../records/record.ts'
import { timeWarnings } from '../records/warnings.ts'
import { parsedSize, type WithMemory } from './memory.ts'
import { scriptLimit } from './receive.ts'
import { type StoredScript, scriptsOf } from './repository.ts'
import { validateScript } from './validate.ts'

export interface ScriptResources {
  db: Database
  store: ObjectStore
  phase: Phase
}

export interface ScriptOptions extends ScriptResources {
  withMemory: WithMemory
}

interface Save {
  bytes: Uint8Array
  /** Where they came from, for faults. */
  place: string[]
  /** Whether they may follow the version that counts, 0 for none. */
  mayFollow(current: number): boolean
  /** What the session had when somebody asked, which may be minutes ago. */
  standing?: ScriptStanding | undefined
}

/**
 * Saves a script of the caller's session as a new version: checked, stored, recorded. The very bytes that count already
 * make no version. Resolves with the number of the version that holds them once that is durable. Throws 422, 413, 412
 * when it may not follow what counts by then, and the codes 3 and 1000.
 */
export async function saveScript(
  { db, store, phase }: ScriptResources,
  request: FastifyRequest,
  { bytes, place, mayFollow, standing }: Save,
): Promise<number> {
  if (bytes.length > scriptLimit) throw errors.tooLarge(scriptLimit)
  const before = standing ?? (await scriptStanding(db, request))
  if (!before) throw errors.sessionNotFound(request.sessionId)
  // Nothing below holds the records: they take several times what the bytes do.
  const warnings = timeWarnings(validateScript(bytes, place), before.video_length)
  const checksum = createHash('sha256').update(bytes).digest('hex')
  const script = { size: bytes.length, checksum, warnings, mayFollow }
  try {
    return await saveVersion({ db, store }, bytes, scriptSteps(db, phase, request, script, before))
  } catch (error) {
    if (error instanceof SessionGoneError) throw errors.sessionNotFound(request.sessionId)
    if (error instanceof StaleVersionError) throw errors.staleScript(error.current)
    if (error instanceof StoreFailedError) throw errors.uploadFailed('script.json')
    throw error
  }
}

/** The newest script of the caller's session, or one version. Throws code 6 when there is none. */
export async function findScript(
  { db }: Pick<ScriptResources, 'db'>,
  request: FastifyRequest,
  which: 'current' | number,
): Promise<StoredScript> {
  const [script] = await scriptsOf(db, request, which)
  if (!script) throw errors.noScript(request.sessionId)
  return script
}

/** Longest time in which a stored script must have been read, in milliseconds. */
const patience = 30_000

/** The bytes of a stored script. Throws code 1001 when it cannot be read, or is not the one that was recorded. */
export async function readScript(
  { store }: Pick<ScriptResources, 'store'>,
  request: FastifyRequest,
  { path, etag }: StoredScript,
): Promise<Buffer> {
  try {
    const signal = AbortSignal.timeout(patience)
    return await buffer(await store.get(inFolder('script', path), { signal, ...(etag && { ifMatch: etag }) }))
  } catch (error) {
    request.log.error({ err: error }, 'a stored script could not be read')
    throw errors.downloadFailed(path.split('/').at(-1) ?? '')
  }
}

/** Gives the records of these stored scripts to `work`, and bounds the memory that takes. Throws 503 when it is short. */
export function withRecords<T>(
  options: ScriptOptions,
  request: FastifyRequest,
  scripts: StoredScript[],
  work: (...records: ScriptRecord[][]) => T | Promise<T>,
): Promise<T> {
  return options.withMemory(async (hold) => {
    for (const { size } of scripts) hold(size * parsedSize)
    const records: ScriptRecord[][] = []
    for (const script of scripts) records.push(validateScript(await readScript(options, request, script), ['script']))
    return work(...records)
  })
}
