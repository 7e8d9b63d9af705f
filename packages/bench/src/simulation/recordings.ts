/** A recording that waits to be encoded. */
export interface Recording {
  therapist: number
  /** Its length. */
  seconds: number
  /** Whether browsers play it as it is, so that its picture is copied. */
  isPlayable: boolean
}

/** Lengths in minutes by turns: mostly whole sessions, some parts of one, and few clips. */
const minutes = [50, 48, 52, 25, 45, 50, 3, 55, 12, 40]
const count = 100
/** One therapist uploads this many at once; the others have the rest among them. */
const ofOne = 30
const others = 11
/** Each fifth recording is playable as it is. */
const playableEvery = 5

/** The queue of the simulation, in the order of the uploads. */
export const recordings: Recording[] = Array.from({ length: count }, (_, n) => ({
  therapist: n < ofOne ? 1 : 2 + (n % others),
  seconds: (minutes[(n * 3) % minutes.length] ?? 0) * 60,
  isPlayable: (n + Math.floor(n / minutes.length)) % playableEvery === 0,
}))
