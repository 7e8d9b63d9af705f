import { mostKbitsOf, type Part, type Rung, type Segments } from '@playtherapy/schema'

/** What is there of a rung, from its beginning. */
export interface RungSoFar {
  codec: string
  /** Pixels; 0 for sound. */
  width: number
  height: number
  parts: Part[]
  /** Whether nothing follows. */
  isComplete: boolean
}

const segmentsOf = (parts: Part[]): Segments => parts.flatMap(({ segments }) => segments)
const bits = (bytes: number, seconds: number) => Math.ceil((bytes * 8) / seconds)

/**
 * The peak of bits per second as RFC 8216 (section 4.1) measures it: of any consecutive segments that last 0.5 to 1.5
 * times the target duration.
 */
function peakOf(segments: Segments, targetSeconds: number): number {
  let peak = 0
  for (const first of segments.keys()) {
    let [seconds, bytes] = [0, 0]
    for (const [more, moreBytes] of segments.slice(first, first + 8)) {
      seconds += more
      bytes += moreBytes
      if (seconds > targetSeconds * 1.5) break
      if (seconds >= targetSeconds / 2) peak = Math.max(peak, bits(bytes, seconds))
    }
  }
  return peak
}

/** Bits per second of a rung: a bound that all of it keeps, and the average so far. That of a sound hardly changes. */
function bandwidthOf(rung: Rung, made: RungSoFar, targetSeconds: number) {
  const { parts, isComplete } = made
  const segments = segmentsOf(parts)
  const seconds = segments.reduce((sum, [length]) => sum + length, 0)
  const average = bits(
    segments.reduce((sum, [, bytes]) => sum + bytes, 0),
    seconds,
  )
  const peak = Math.max(average, peakOf(segments, targetSeconds))
  return { average, peak: isComplete || rung === 'sound' ? peak : Math.max(peak, mostKbitsOf(rung, made) * 1000) }
}

export interface MainPlaylist {
  targetSeconds: number
  hasCaptions: boolean
  upper: RungSoFar
  lower: RungSoFar | undefined
  sound: RungSoFar | undefined
}

/**
 * The main playlist. The lower rung comes first, because players begin with the first one, and the picture comes soonest
 * with it; they go on to the upper one as soon as the connection has proved fast enough.
 */
export function mainPlaylist({ targetSeconds, hasCaptions, upper, lower, sound }: MainPlaylist): string {
  const media = (type: string, group: string, more: string) =>
    `#EXT-X-MEDIA:TYPE=${type},GROUP-ID="${group}",AUTOSELECT=YES,${more},URI="${group}.m3u8"`
  const withSound = sound && bandwidthOf('sound', sound, targetSeconds)
  const variant = (rung: Rung, made: RungSoFar) => {
    const { average, peak } = bandwidthOf(rung, made, targetSeconds)
    const attributes = [
      `BANDWIDTH=${peak + (withSound?.peak ?? 0)}`,
      `AVERAGE-BANDWIDTH=${average + (withSound?.average ?? 0)}`,
      `CODECS="${[made.codec, ...(sound ? [sound.codec] : [])].join()}"`,
      `RESOLUTION=${made.width}x${made.height}`,
      'CLOSED-CAPTIONS=NONE',
      ...(sound ? ['AUDIO="sound"'] : []),
      ...(hasCaptions ? ['SUBTITLES="captions"'] : []),
    ]
    return `#EXT-X-STREAM-INF:${attributes.join()}\n${rung}.m3u8`
  }
  return lines([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    ...(sound ? [media('AUDIO', 'sound', 'NAME="Sound",DEFAULT=YES,CHANNELS="2"')] : []),
    ...(hasCaptions ? [media('SUBTITLES', 'captions', 'NAME="Captions",DEFAULT=NO,FORCED=NO')] : []),
    ...(lower ? [variant('lower', lower)] : []),
    variant('upper', upper),
  ])
}

const lines = (all: string[]) => `${all.join('\n')}\n`

/**
 * Whether more of a recording follows: it grows; or it has ended, but may still change, since a retry of a failed encode goes
 * on; or it is final.
 */
export type Progress = 'growing' | 'ended' | 'final'

interface MediaPlaylist {
  /** No segment is longer, in seconds. */
  targetSeconds: number
  /** That of the recording: all its playlists have the same type (RFC 8216, section 6.2.4). */
  progress: Progress
  /** Further tags, then the segments. */
  entries: string[]
}

/**
 * A media playlist. It is an EVENT, which players load again and again until it has an end, and a VOD, which must not change,
 * only when it is final. Players begin at its beginning and not, as with a live broadcast, at its end.
 */
const mediaPlaylist = ({ targetSeconds, progress, entries }: MediaPlaylist) =>
  lines([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${targetSeconds}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    `#EXT-X-PLAYLIST-TYPE:${progress === 'final' ? 'VOD' : 'EVENT'}`,
    '#EXT-X-START:TIME-OFFSET=0',
    ...entries,
    ...(progress === 'growing' ? [] : ['#EXT-X-ENDLIST']),
  ])

export interface SegmentList {
  rung: Rung
  targetSeconds: number
  parts: Part[]
  progress: Progress
  /** Only segments that begin before this second are listed. */
  until: number
}

/** The playlist of a rung: byte ranges of one file, which are those of the finished file from the beginning. */
export function rungPlaylist({ rung, targetSeconds, parts, progress, until }: SegmentList): string {
  const uri = `${rung}.mp4`
  // A picture that was copied may have frames that need some of the segment before.
  const entries = rung === 'upper' ? [] : ['#EXT-X-INDEPENDENT-SEGMENTS']
  let time = 0
  for (const { start, headerBytes, segments } of parts) {
    let at = start + headerBytes
    if (headerBytes > 0 && time < until) entries.push(`#EXT-X-MAP:URI="${uri}",BYTERANGE="${headerBytes}@${start}"`)
    for (const [seconds, bytes] of segments) {
      if (time >= until) break
      entries.push(`#EXTINF:${seconds.toFixed(6)},`, `#EXT-X-BYTERANGE:${bytes}@${at}`, uri)
      time += seconds
      at += bytes
    }
  }
  return mediaPlaylist({ targetSeconds, progress, entries })
}

/**
 * The playlist of the captions: one segment as long as the recording, which the script service serves. It has an end also
 * while the recording grows, so that players neither load it again nor take it for a broadcast.
 */
export function captionsPlaylist({ seconds, progress }: { seconds: number; progress: Progress }): string {
  const entries = [`#EXTINF:${seconds.toFixed(6)},`, 'captions.vtt']
  return mediaPlaylist({
    targetSeconds: Math.ceil(seconds),
    progress: progress === 'growing' ? 'ended' : progress,
    entries,
  })
}
