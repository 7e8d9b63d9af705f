import type { Figure } from './row.ts'

/** Values that belong together: the n-th of each side was measured in the n-th round. */
export type Samples<Side extends string, Sample> = Record<Side, Sample[]>

/** A figure is the median of this many rounds. */
const usualRounds = 5

/**
 * Runs each side once a round, one after the other, and every second round in the opposite order, so that no side has
 * the warmer machine every time. One more round before the first warms everything up; its samples are discarded.
 */
export async function alternate<Side extends string, Sample>(
  sides: Record<Side, () => Promise<Sample>>,
  { rounds = usualRounds, warmUp = true } = {},
): Promise<Samples<Side, Sample>> {
  const names = keysOf(sides)
  const samples = mapOf<Side, Sample[]>(names, () => [])
  for (let round = warmUp ? -1 : 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const sample = await sides[name]()
      if (round >= 0) samples[name].push(sample)
    }
  }
  return samples
}

/** Returns the figure of the ratios between two sides, round by round. */
export function ratio<Sample>(
  { name, target }: Pick<Figure, 'name' | 'target'>,
  [ours, theirs]: [Sample[], Sample[]],
  value: (sample: Sample) => number,
): Figure {
  const ratios = ours.map((sample, round) => {
    const other = theirs[round]
    if (other === undefined) throw new Error(`${name}: the sides have different numbers of samples`)
    return value(sample) / value(other)
  })
  return figure({ name, target, unit: '×' }, ratios)
}

/** Returns the figure of these values: their median and spread. */
export function figure(about: Pick<Figure, 'name' | 'target' | 'unit'>, values: number[]): Figure {
  const measured = median(values)
  if (!Number.isFinite(measured)) throw new Error(`${about.name}: nothing was measured`)
  const reaching = values.filter((value) => reaches(value, about.target)).length
  const spread = { least: Math.min(...values), most: Math.max(...values) }
  return { ...about, measured, spread, rounds: { all: values.length, reaching } }
}

const reaches = (value: number, target: Figure['target']): boolean =>
  'most' in target ? value <= target.most : value >= target.least

export const isReached = ({ measured, target }: Pick<Figure, 'measured' | 'target'>): boolean =>
  reaches(measured, target)

export const median = (values: number[]): number => quantile(values, 0.5)

/** Returns the quantile of the values, interpolated between neighbours. `share` is 0 to 1. */
export function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place % 1)
}

function keysOf<Key extends string>(record: Record<Key, unknown>): Key[] {
  const keys: Key[] = []
  for (const key in record) keys.push(key)
  return keys
}

function mapOf<Key extends string, Value>(keys: Key[], make: () => Value): Record<Key, Value> {
  const map: Partial<Record<Key, Value>> = {}
  for (const key of keys) map[key] = make()
  const isWhole = (record: Partial<Record<Key, Value>>): record is Record<Key, Value> => keys.every((k) => k in record)
  if (!isWhole(map)) throw new Error('unreachable')
  return map
}
