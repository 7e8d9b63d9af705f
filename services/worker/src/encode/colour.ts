import type { PictureFormat } from '../ffmpeg/picture-format.ts'

/** The first height in pixels at which browsers read a picture without tags as BT.709, and below it as BT.601. */
const leastHdHeight = 720

/** The matrices that ffmpeg converts, by its names. */
const matrices = ['bt709', 'fcc', 'bt470bg', 'smpte170m', 'smpte240m', 'bt2020nc', 'bt2020c']
const hdrTransfers = ['smpte2084', 'arib-std-b67']
/** Primaries whose colours look pale when they are shown as those of BT.709. Others differ too little to be seen. */
const widePrimaries = ['bt2020', 'smpte431', 'smpte432']

const isHdr = ({ transfer }: PictureFormat) => hdrTransfers.includes(transfer)
const isWide = ({ primaries }: PictureFormat) => widePrimaries.includes(primaries)
const isFull = ({ range, pixelFormat }: PictureFormat) => range === 'pc' || pixelFormat.startsWith('yuvj')
const isRgb = ({ pixelFormat, matrix }: PictureFormat) =>
  matrix === 'gbr' || /^(0?rgb|0?bgr|gbr|[ab]?argb|abgr|rgba|bgra|pal8)/.test(pixelFormat)

function matrixOf(format: PictureFormat): string {
  if (isRgb(format)) return 'gbr'
  if (matrices.includes(format.matrix)) return format.matrix
  if (isHdr(format) || format.primaries === 'bt2020') return 'bt2020nc'
  return format.height < leastHdHeight ? 'smpte170m' : 'bt709'
}

/** Whether a picture can be shown as BT.709 as it is. A copy would lose the name of a matrix that is unknown here. */
export const isBt709 = (format: PictureFormat): boolean =>
  ['bt709', 'unknown'].includes(format.matrix) &&
  matrixOf(format) === 'bt709' &&
  !isHdr(format) &&
  !isWide(format) &&
  !isFull(format)

/** Whether a picture says itself that its colours are those of BT.709. */
export const isTagged = ({ matrix, primaries, transfer }: PictureFormat): boolean =>
  [matrix, primaries, transfer].every((tag) => tag === 'bt709')

const bt709 = 'setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709'

/** Options with which also an old ffmpeg, whose encoder does not ask the pictures for their tags, writes them. */
export const encodedTags = '-color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709'.split(' ')

/**
 * Filters that scale a picture (`size` holds the options of ffmpeg's scale) and convert its colours to BT.709 with limited
 * range and 8 bits. The colours of HDR are mapped so that its reference white (203 cd/m², ITU-R BT.2408) becomes almost
 * white, and what is brighter fits above it.
 */
export function conversion(format: PictureFormat, size: string): string[] {
  const transfer = isHdr(format) ? format.transfer : 'bt709'
  const primaries = isHdr(format) ? 'bt2020' : isWide(format) ? format.primaries : 'bt709'
  const range = isFull(format) || isRgb(format) ? 'pc' : 'tv'
  const tags = `color_primaries=${primaries}:color_trc=${transfer}`
  const read = `setparams=range=${range}:colorspace=${matrixOf(format)}:${tags}`
  if (!isHdr(format) && !isWide(format)) {
    return [read, `scale=${size}:out_color_matrix=bt709:out_range=tv`, 'format=yuv420p', bt709]
  }
  const [name, matrix] = isHdr(format) ? ['bt2020', 'bt2020nc'] : ['bt709', 'bt709']
  const scaled = [
    ...[read, `scale=${size}:out_color_matrix=${name}:out_range=tv`, 'format=yuv420p10le'],
    `setparams=range=tv:colorspace=${matrix}:${tags}`,
  ]
  const mapped = isHdr(format)
    ? [
        ...['zscale=t=linear:npl=203', 'format=gbrpf32le', 'zscale=p=bt709', 'tonemap=mobius:param=0.6:desat=0'],
        'zscale=t=bt709:m=bt709:r=tv',
      ]
    : ['zscale=p=bt709']
  return [...scaled, ...mapped, 'format=yuv420p', bt709]
}
