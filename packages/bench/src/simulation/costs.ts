/** CPU seconds of a job on one core: so many at any length, and so many for each second of the recording or chunk. */
interface Cost {
  each: number
  perSecond: number
}

/**
 * Costs of each job for a recording in 1080p with 30 frames a second in HEVC, or in H.264 where it is playable, as the
 * worker logs them in the row `chunks` on one core.
 */
export const costs = {
  /** Probe and scan of an original of 8 Mbit/s. */
  plan: { each: 0.5, perSecond: 0.02 },
  sound: { each: 0.3, perSecond: 0.025 },
  /** Both rungs of some seconds of picture. */
  picture: { each: 0.5, perSecond: 0.8 },
  copy: { each: 0.3, perSecond: 0.005 },
  /** The lower rung alone. */
  lower: { each: 0.5, perSecond: 0.3 },
  /** Rungs, MP4, poster and storyboard. */
  finish: { each: 1, perSecond: 0.01 },
  /** The encode of a whole recording by one job, as it was before there were chunks: one rung and the sound. */
  whole: { each: 1, perSecond: 0.75 },
  /** The same where the picture was copied. */
  remux: { each: 1, perSecond: 0.04 },
} satisfies Record<string, Cost>

/** Returns the CPU seconds of a job. */
export const costOf = (job: keyof typeof costs, seconds: number): number =>
  costs[job].each + costs[job].perSecond * seconds
