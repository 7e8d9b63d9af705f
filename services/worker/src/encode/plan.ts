import { EncodePlan } from './chunk-options.ts'
import type { NewChunk } from './plan-repository.ts'

/** Reads a plan back from the database. Throws where it is of another shape. */
export async function toEncodePlan(value: unknown): Promise<EncodePlan> {
  // Loading it takes a third of a second, which would delay the start of the process.
  const { Parse } = await import('typebox/value')
  return Parse(EncodePlan, value)
}

/** The chunks of a plan, in the order in which they are wanted. */
export function chunksOf(plan: EncodePlan): NewChunk[] {
  const { cuts, seconds, canCopy, lower, sound } = plan
  const ends = [...cuts, seconds]
  const whole = { index: 0, fromSeconds: 0, toSeconds: seconds }
  const parts = (kind: 'picture' | 'lower') =>
    ends.map((toSeconds, index) => ({ kind, index, fromSeconds: ends[index - 1] ?? 0, toSeconds }))
  const pictures = canCopy ? [{ kind: 'copy' as const, ...whole }, ...(lower ? parts('lower') : [])] : parts('picture')
  return [...(sound ? [{ kind: 'sound' as const, ...whole }] : []), ...pictures]
}
