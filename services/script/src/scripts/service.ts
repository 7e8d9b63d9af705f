import { inFolder, type ObjectStore, type Phase, StoreFailedError } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { errors } from '@playtherapy/service-kit'
import { type ScriptStanding, saveVersion, scriptStanding, scriptSteps } from '@playtherapy/versions'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CheckedScript, ReadScript } from './check.ts'
import type { WithMemory } from './memory.ts'
import { type StoredScript, scriptsOf } from './repository.ts'

export interface ScriptResources {
  db: Database
  store: ObjectStore
  phase: Phase
}

export interface ScriptOptions extends ScriptResources {
  withMemory: WithMemory
}

/** Runs a task with whole scripts for a therapist, on a thread where the task is large (work/pool.ts). */
export type Run<Task extends (input: never) => unknown> = (
  userId: number,
  input: Parameters<Task>[0],
) => Promise<Awaited<ReturnType<Task>>>

interface Save {
  /** Checks the script, and its times against the video's length, `HH:MM:SS`. */
  check(videoLength: string | null): Promise<CheckedScript>
  /** May this save replace version `current` (0 = none)? */
  mayFollow(current: number): boolean
  /** The session as it was last read, maybe minutes ago. */
  standing?: ScriptStanding | undefined
}

/**
 * Saves a script of the caller's session. Resolves with the number of the version that holds it, once it is durable: a
 * new version, or the current one if that has the same bytes. Throws what `check` throws, `errors.staleScript`,
 * `errors.sessionNotFound` and `errors.uploadFailed`.
 */
export async function saveScript(
  { db, store, phase }: ScriptResources,
  request: FastifyRequest,
  { check, mayFollow, standing }: Save,
): Promise<number> {
  const before = standing ?? (await scriptStanding(db, request))
  if (!before) throw errors.sessionNotFound(request.sessionId)
  const { bytes, checksum, warnings } = await check(before.video_length)
  const script = { size: bytes.length, checksum, warnings, mayFollow }
  const steps = scriptSteps(db, phase, request, script, before)
  const outcome = await saveVersion({ db, store }, bytes, steps).catch((error: unknown) => {
    throw error instanceof StoreFailedError ? errors.uploadFailed('script.json', ['body', 'script'], error) : error
  })
  if (outcome.kind === 'saved') return outcome.version
  throw outcome.kind === 'stale' ? errors.staleScript(outcome.current) : errors.sessionNotFound(request.sessionId)
}

/** The newest script of the caller's session, or one version. Throws `errors.noScript` when there is none. */
export async function findScript(
  { db }: Pick<ScriptResources, 'db'>,
  request: FastifyRequest,
  which: 'current' | number,
): Promise<StoredScript> {
  const [script] = await scriptsOf(db, request, which)
  if (!script) throw errors.noScript(request.sessionId)
  return script
}

/** Longest time for reading a stored script. */
const readingMs = 30_000

type StoredBytes = Pick<StoredScript, 'path' | 'etag' | 'size' | 'checksum'>

/** Reads a stored script, for a task to verify. Throws `errors.downloadFailed` if it cannot be read or is too short. */
export async function readScript(
  { store }: Pick<ScriptResources, 'store'>,
  request: FastifyRequest,
  { path, etag, size, checksum }: StoredBytes,
  signal = AbortSignal.timeout(readingMs),
): Promise<ReadScript> {
  const name = path.split('/').at(-1) ?? ''
  try {
    const bytes = Buffer.allocUnsafeSlow(size)
    let at = 0
    for await (const chunk of await store.get(inFolder('script', path), { signal, ...(etag && { ifMatch: etag }) })) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    if (at < size) throw new Error('the object is shorter than what was stored')
    return { bytes, checksum, name }
  } catch (error) {
    request.log.error({ err: error }, 'a stored script could not be read')
    throw errors.downloadFailed(name, error)
  }
}

/** Sends JSON as it is: the route's schema only describes it. */
export const sendJson = (reply: FastifyReply, json: Uint8Array): FastifyReply =>
  reply.type('application/json; charset=utf-8').send(json)
