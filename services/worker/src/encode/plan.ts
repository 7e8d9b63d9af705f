import { beginningSeconds, EncodePlan } from './chunk-options.ts'
import type { NewChunk } from './plan-repository.ts'

/** Reads a plan back from the database. Throws where it is of another shape. */
export async function toEncodePlan(value: unknown): Promise<EncodePlan> {
  // Loading it takes a third of a second, which would delay the start of the process.
  const { Parse } = await import('typebox/value')
  return Parse(EncodePlan, value)
}

/** A sound that begins later than this has little or nothing in its beginning. */
const lateSeconds = 10
/** Chunks of the picture that come before the rest of the sound: less than the beginning of the sound. */
const picturesBeforeRest = 3

/** The chunks of a plan, in the order in which they are wanted. */
export function chunksOf(plan: EncodePlan): NewChunk[] {
  const { cuts, from, seconds, canCopy, lower, sound } = plan
  const ends = [...cuts, seconds]
  const whole = { index: 0, fromSeconds: 0, toSeconds: seconds }
  const parts = (kind: 'picture' | 'lower') =>
    ends.map((toSeconds, index) => ({ kind, index, fromSeconds: ends[index - 1] ?? 0, toSeconds }))
  const pictures = canCopy ? [{ kind: 'copy' as const, ...whole }, ...(lower ? parts('lower') : [])] : parts('picture')
  if (!sound) return pictures
  const kind = 'sound' as const
  if (cuts.length === 0 || seconds < 2 * beginningSeconds || sound.from - from > lateSeconds) {
    return [{ kind, ...whole }, ...pictures]
  }
  return [
    { kind, index: 0, fromSeconds: 0, toSeconds: beginningSeconds },
    ...pictures.slice(0, picturesBeforeRest),
    { kind, index: 1, fromSeconds: beginningSeconds, toSeconds: seconds },
    ...pictures.slice(picturesBeforeRest),
  ]
}
