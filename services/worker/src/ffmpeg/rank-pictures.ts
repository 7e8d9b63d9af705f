/** ffprobe's fields of a stream that tell what its pictures are for. */
interface Stream {
  codec_type?: string
  width?: number
  height?: number
  disposition?: Record<string, number>
}

const isCover = ({ disposition = {} }: Stream) => disposition.attached_pic === 1 || disposition.timed_thumbnails === 1

/**
 * A preview is tiny, or has less than a quarter of the sides of the largest picture. One whose size ffprobe does not know, as of
 * some codecs where the picture begins late, also comes behind the others, because it may be of a codec that nobody knows.
 */
const isPreview = ({ width = 0, height = 0 }: Stream, largestPixels: number) =>
  Math.min(width, height) < 100 || width * height * 16 < largestPixels

/**
 * The streams of pictures but for cover images: a recording before a preview, then the one that is marked as the default,
 * then the largest one. A container often marks its first stream as the default, also where that is a preview.
 */
export function rankPictures<S extends Stream>(streams: S[]): S[] {
  const pixels = ({ width = 0, height = 0 }: Stream) => width * height
  const pictures = streams.filter((stream) => stream.codec_type === 'video' && !isCover(stream))
  const largest = Math.max(0, ...pictures.map(pixels))
  const rank = (stream: Stream) => [
    isPreview(stream, largest) ? 1 : 0,
    stream.disposition?.default === 1 ? 0 : 1,
    -pixels(stream),
  ]
  return pictures.sort((one, other) => {
    const [ranks, others] = [rank(one), rank(other)]
    return ranks.map((value, place) => value - (others[place] ?? 0)).find((difference) => difference !== 0) ?? 0
  })
}
