import { type Static, Type } from 'typebox'

/** How pictures are stored, in ffprobe's words; `unknown` where nothing is stated. */
export const PictureFormat = Type.Object({
  width: Type.Number(),
  height: Type.Number(),
  /** Width of a pixel divided by its height. */
  pixelAspect: Type.Number(),
  pixelFormat: Type.String(),
  range: Type.String(),
  matrix: Type.String(),
  primaries: Type.String(),
  transfer: Type.String(),
})

export type PictureFormat = Static<typeof PictureFormat>

/** ffprobe's fields of a stream or of a frame, from its JSON or from its lines. */
interface Fields {
  width?: number | string
  height?: number | string
  sample_aspect_ratio?: string
  pix_fmt?: string
  color_range?: string
  color_space?: string
  color_primaries?: string
  color_transfer?: string
}

export function toPictureFormat(fields: Fields): PictureFormat {
  const [across = 1, down = 1] = (fields.sample_aspect_ratio ?? '').split(':').map(Number)
  return {
    width: Number(fields.width ?? 0),
    height: Number(fields.height ?? 0),
    pixelAspect: across > 0 && down > 0 ? across / down : 1,
    pixelFormat: fields.pix_fmt ?? 'unknown',
    range: fields.color_range ?? 'unknown',
    matrix: fields.color_space ?? 'unknown',
    primaries: fields.color_primaries ?? 'unknown',
    transfer: fields.color_transfer ?? 'unknown',
  }
}
