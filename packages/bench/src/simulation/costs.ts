/** CPU seconds of a job on one core: so many at any length, and so many for each second of the recording or chunk. */
interface Cost {
  each: number
  perSecond: number
}

/**
 * Costs of each job for a recording in 1080p with 30 frames a second, in HEVC of 8 Mbit/s or, where it is playable, in H.264.
 * They are what a worker on one core and its children had used when the log said that the job was done, in encodes of two
 * and ten minutes on 2026-11-26.
 */
export const costs = {
  plan: { each: 0.8, perSecond: 0.004 },
  sound: { each: 0.3, perSecond: 0.017 },
  /** Both rungs of some seconds of picture. */
  picture: { each: 0.4, perSecond: 0.7 },
  copy: { each: 0.3, perSecond: 0.002 },
  /** The lower rung alone. */
  lower: { each: 0.4, perSecond: 0.22 },
  /** Rungs, MP4, poster and storyboard. */
  finish: { each: 1.2, perSecond: 0.006 },
  /** The encode of a whole recording by one job, as it was before there were chunks: one rung and the sound. */
  whole: { each: 1, perSecond: 0.56 },
  /** The same where the picture was copied. */
  remux: { each: 1, perSecond: 0.022 },
} satisfies Record<string, Cost>

/** Returns the CPU seconds of a job. */
export const costOf = (job: keyof typeof costs, seconds: number): number =>
  costs[job].each + costs[job].perSecond * seconds
