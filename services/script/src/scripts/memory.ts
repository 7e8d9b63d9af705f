import { errors } from '@playtherapy/service-kit'
import { scriptLimit } from './receive.ts'

/**
 * Most bytes of scripts that the requests of one process hold together. One alone may take more, as a comparison of two
 * large versions does: otherwise it never could.
 */
const holdLimit = 12 * scriptLimit
/** What a script takes when it is parsed, as a multiple of its bytes. */
export const parsedSize = 8

/** Notes that so many more bytes are held. Throws 503 when that is too much for this process. */
type Hold = (bytes: number) => void

/** Runs a piece of work that holds scripts in memory; what it held counts as free when it ends. */
export type WithMemory = <T>(work: (hold: Hold) => Promise<T>) => Promise<T>

/** The bound on what requests under way hold together; one for each process. */
export function scriptMemory(): WithMemory {
  let held = 0
  return async (work) => {
    let mine = 0
    const hold = (bytes: number) => {
      mine += bytes
      held += bytes
      if (held > holdLimit && held > mine) throw errors.unavailable()
    }
    try {
      return await work(hold)
    } finally {
      held -= mine
    }
  }
}
