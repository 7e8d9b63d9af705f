import type { Place } from './place.ts'

/** The bound that a figure has to reach. */
type Target = { most: number } | { least: number }

/** One measured figure: the median of some values, with the smallest and the largest of them. */
export interface Figure {
  /** The name in the table: `upload 1 GiB: time against the SDK`. */
  name: string
  measured: number
  /** The unit after the number: `×`, `ms`, `s`, `MiB`. */
  unit: string
  target: Target
  spread: { least: number; most: number }
  /** The number of values, and of those that reach the target. */
  rounds: { all: number; reaching: number }
}

/**
 * A row of the table: one file in `rows/`, listed in `rows/index.ts`. It starts what it needs through `place`, measures
 * our side and the others by turns (measure.ts), and returns the figures. `npm run bench -- NAME` runs those whose name
 * contains NAME.
 */
export interface Row {
  name: string
  /** Whether it is left out of the run of all, because it takes too much time and disk. */
  isApart?: boolean
  measure(place: Place): Promise<Figure[]>
}
