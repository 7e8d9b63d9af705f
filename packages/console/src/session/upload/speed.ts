/** The speed is that of the last seconds, so that it follows the network and still stands calmly. */
const windowMs = 10_000

/** Measures how fast a count of bytes grows. */
export function createSpeedometer() {
  let samples: { at: number; bytes: number }[] = []
  return {
    /** Returns bytes a second; undefined as long as too little is known. */
    add(bytes: number, at = performance.now()): number | undefined {
      const [last] = samples.slice(-1)
      // What was sent before a cut may have to be sent again.
      if (last && bytes < last.bytes) samples = []
      samples = [...samples.filter((sample) => at - sample.at < windowMs), { at, bytes }]
      const [first] = samples
      const elapsedMs = first ? at - first.at : 0
      return first && elapsedMs >= 1_000 ? ((bytes - first.bytes) * 1000) / elapsedMs : undefined
    },
    reset() {
      samples = []
    },
  }
}
