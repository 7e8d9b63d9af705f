import { SessionGoneError, StoreFailedError, saveVersion } from '@playtherapy/intake'
import type { ObjectStore, Phase } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { errors } from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'
import { receiveScript, scriptLimit } from './receive.ts'
import { scriptSteps } from './repository.ts'
import { validateScript } from './validate.ts'

export interface ScriptResources {
  db: Database
  store: ObjectStore
  phase: Phase
}

/** Most bytes of scripts that one process holds at a time. */
const holdLimit = 12 * scriptLimit

/**
 * The way of a script: received, checked, stored as a new version. What requests under way hold in memory is bounded
 * together; one that comes on top gets 503. Resolves when the script is durable.
 */
export function scriptSaver({ db, store, phase }: ScriptResources): (request: FastifyRequest) => Promise<void> {
  let held = 0
  return async (request) => {
    let mine = 0
    const hold = (bytes: number) => {
      mine += bytes
      held += bytes
      if (held > holdLimit) throw errors.unavailable()
    }
    try {
      const bytes = await receiveScript(request, hold)
      const warnings = validateScript(bytes)
      await saveVersion({ db, store }, bytes, scriptSteps(db, phase, request, { size: bytes.length, warnings }))
    } catch (error) {
      if (error instanceof SessionGoneError) throw errors.sessionNotFound(request.sessionId)
      if (error instanceof StoreFailedError) throw errors.uploadFailed('script.json')
      throw error
    } finally {
      held -= mine
    }
  }
}
