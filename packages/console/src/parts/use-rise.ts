import { useEffect, useState } from 'preact/hooks'

/** Returns a number that rises with each call of `rise`. `listen` returns a function that ends the listening. */
export function useRise(listen: (rise: () => void) => () => void, deps: readonly unknown[]): number {
  const [number, setNumber] = useState(0)
  useEffect(() => listen(() => setNumber((last) => last + 1)), [...deps])
  return number
}
