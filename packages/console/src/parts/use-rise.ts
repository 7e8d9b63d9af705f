import { useEffect, useState } from 'preact/hooks'

/** Returns a number that rises with each call of the function that `listen` is given; `listen` returns what ends that. */
export function useRise(listen: (rise: () => void) => () => void, deps: readonly unknown[]): number {
  const [number, setNumber] = useState(0)
  useEffect(() => listen(() => setNumber((last) => last + 1)), [...deps])
  return number
}
