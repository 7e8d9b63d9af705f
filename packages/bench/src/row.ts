import type { Place } from './place.ts'

/** What a figure has to reach: at most or at least so much. */
type Target = { most: number } | { least: number }

/** One measured figure: the median, and the smallest and largest of the values it is the median of. */
export interface Figure {
  /** What was measured, as the table shows it: `upload 1 GiB: time against the SDK`. */
  name: string
  measured: number
  /** Behind the number: `×`, `ms`, `s`, `MiB`. */
  unit: string
  target: Target
  spread: { least: number; most: number }
  /** How many values there are, and how many of them reach the target. */
  rounds: { all: number; reaching: number }
}

/**
 * A row of the table: one file in `rows/`, listed in `rows/index.ts`. It brings up what it needs through `place`,
 * measures our side and the other in turn (measure.ts), and says what came of it. `npm run bench -- NAME` runs those whose
 * name contains NAME.
 */
export interface Row {
  name: string
  measure(place: Place): Promise<Figure[]>
}
