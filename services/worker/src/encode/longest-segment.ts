import type { Segments } from '@playtherapy/schema'
import { mostSegmentSeconds, toSegments } from '../ffmpeg/fragments.ts'
import { type FrameTimes, mayStartAgain } from '../ffmpeg/frame-clock.ts'
import { copiedFragmentSeconds, type EncodePlan, lateSeconds } from './chunk-options.ts'
import { keptOf } from './cut.ts'
import { keySeconds } from './picture.ts'

/** Seconds of the longest segment of a sound, whose fragments end with a packet. */
const soundSeconds = 4.1

/** Seconds of the longest pause that ffmpeg keeps where a clock may start again: a longer one is such a start. */
const longestGapSeconds = 10

/**
 * Seconds of the longest segment of frames at these times, of which `boundaries` begin a chunk. A fragment begins with the
 * first frame after `leastSeconds`.
 */
function longestOf(times: Iterable<number>, end: number, boundaries: number[], leastSeconds: number): number {
  let fragments: Segments = []
  let [longest, chunk] = [0, 0]
  let begun: number | undefined
  const close = () => {
    longest = Math.max(longest, ...toSegments(fragments).map(([seconds]) => seconds))
    fragments = []
  }
  for (const time of times) {
    const isNewChunk = time > (boundaries[chunk] ?? Number.POSITIVE_INFINITY)
    if (begun !== undefined && !isNewChunk && time - begun < leastSeconds) continue
    if (begun !== undefined) fragments.push([time - begun, 0])
    begun = time
    if (!isNewChunk) continue
    close()
    chunk += 1
  }
  fragments.push([end - (begun ?? end), 0])
  close()
  return longest
}

/** The times of the frames that are kept, after those of `before`. */
function* keptFrom(before: number[], shown: Float64Array, scan: EncodePlan['picture']['scan']): Generator<number> {
  yield* before
  yield* keptOf(shown, scan)
}

/**
 * The seconds of the longest segment of a recording, for its playlists, before anything is encoded. `times` are those of
 * its pictures; where they are not certain, it is an upper bound.
 */
export function longestSegmentSeconds(plan: EncodePlan, times: FrameTimes | undefined): number {
  const { container, cuts, from, canCopy } = plan
  const { scan } = plan.picture
  if (!times) {
    const copiedSeconds = canCopy ? copiedFragmentSeconds + scan.longestGroup : 0
    const pause = Math.min(scan.longestPause, mayStartAgain(container) ? longestGapSeconds : Number.POSITIVE_INFINITY)
    const fragment = Math.max(keySeconds, copiedSeconds) + pause
    return Math.max(soundSeconds, mostSegmentSeconds(fragment))
  }
  const boundaries = cuts.map((cut) => from + cut)
  const [first = from] = times.shown
  const late = first - from > lateSeconds ? [from] : []
  const encoded = longestOf(keptFrom(late, times.shown, scan), times.end, boundaries, keySeconds)
  const copied = canCopy ? longestOf(times.keys, times.end, [], copiedFragmentSeconds) : 0
  return Math.max(soundSeconds, encoded, copied)
}
