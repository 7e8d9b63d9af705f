import type { Container } from '@playtherapy/schema'

/** Whether the clock of a container may start again during a recording: then its times are not those of a player. */
export const mayStartAgain = (container: Container): boolean => container === 'mpegts' || container === 'mpegps'

/** What ffprobe says of a packet. */
interface Packet {
  pts_time?: string
  dts_time?: string
  duration_time?: string
  flags?: string
}

/** Times of a picture, in ascending order, in seconds on the clock of the file. */
export interface FrameTimes {
  shown: Float64Array
  /** The key frames among them, each of which could be decoded. */
  keys: Float64Array
  /** At which the last one is no longer shown. */
  end: number
}

/** Longest pause between two pictures that counts for the frame rate, in seconds. */
const closePause = 1
/** Times of more frames are not kept: 12 hours of 60 frames a second take 20 MB. */
const mostFrames = 2 ** 22
/** Least pause in seconds between frames that are certainly two. */
const leastPause = 0.002

/** Two times are the same within ffprobe's rounding. */
const sameSeconds = 0.000_01

/** A growing list of numbers that takes eight bytes for each. */
function createList() {
  let list = new Float64Array(1024)
  let length = 0
  return {
    push(value: number) {
      if (length === list.length) {
        const longer = new Float64Array(length * 2)
        longer.set(list)
        list = longer
      }
      list[length] = value
      length += 1
    },
    get length() {
      return length
    },
    sorted: () => list.slice(0, length).sort(),
  }
}

/** Whether one ascending list contains all numbers of another one. */
function holdsAll(list: Float64Array, others: Float64Array): boolean {
  let place = 0
  return others.every((other) => {
    while ((list[place] ?? other) < other - sameSeconds) place += 1
    return Math.abs((list[place] ?? Number.NaN) - other) <= sameSeconds
  })
}

/**
 * Gathers the times of packets, which come in the order of decoding and not in that of their presentation. The clock of a
 * transport or program stream starts at any value, and starts again during a recording, so there only the pauses count.
 */
export function createFrameClock(isContinuous: boolean) {
  let [first, last, end] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  let [firstKey, before] = [Number.NaN, Number.NaN]
  let [pauses, paused, longestPause] = [0, 0, 0]
  let [group, longestGroup] = [0, 0]
  let [isOrderly, hasHidden] = [isContinuous, false]
  const [shown, keys] = [createList(), createList()]
  const seconds = () => (isContinuous ? Math.max(0, last - firstKey || 0) : paused)

  function times(decoded: Float64Array): FrameTimes | undefined {
    if (!isOrderly) return undefined
    // What comes before the first key frame cannot be decoded.
    const sorted = shown.sorted()
    const found = { shown: sorted.subarray(sorted.findIndex((time) => time >= firstKey)), keys: keys.sorted(), end }
    const isCertain = found.shown.every((time, place) => time - (found.shown[place - 1] ?? time - 1) >= leastPause)
    return isCertain && holdsAll(decoded, found.keys) ? found : undefined
  }

  return {
    seconds,
    /** The times of the key frames so far. */
    keys: () => keys.sorted(),
    add({ pts_time, dts_time, duration_time, flags = '' }: Packet) {
      const presented = Number(pts_time ?? Number.NaN)
      const decoding = Number(dts_time ?? Number.NaN)
      const time = Number.isNaN(presented) ? decoding : presented
      isOrderly &&= !Number.isNaN(presented) && !(decoding < before) && shown.length < mostFrames
      if (Number.isNaN(time)) return
      const isKey = flags.startsWith('K')
      // Packets that an edit list hides are only decoded.
      if (flags.includes('D')) hasHidden = true
      else if (isOrderly) {
        shown.push(time)
        if (isKey) keys.push(time)
      }
      first = Math.min(first, time)
      end = Math.max(end, time + (Number(duration_time) || 0))
      if (isKey && Number.isNaN(firstKey)) firstKey = time
      if (Number.isNaN(firstKey)) return
      last = Math.max(last, time)
      const pause = decoding - before
      longestPause = Math.max(longestPause, pause || 0)
      if (pause > 0 && (isContinuous || pause <= closePause)) group += pause
      longestGroup = Math.max(longestGroup, group)
      if (isKey) group = 0
      if (pause > 0 && pause <= closePause) {
        pauses += 1
        paused += pause
      }
      before = decoding
    },
    /**
     * What all packets say together. `times` are those by which the recording can be cut, undefined unless each frame has one
     * of its own; `decoded` are the times of the key frames that can be decoded, in ascending order.
     */
    result: (decoded: Float64Array) => ({
      scan: {
        seconds: seconds(),
        endSeconds: Math.max(0, end - first),
        frameRate: paused > 0 ? pauses / paused : 0,
        longestPause,
        longestGroup,
        hasHidden,
      },
      times: times(decoded),
    }),
  }
}
