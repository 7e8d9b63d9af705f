import type { Storyboard } from '@playtherapy/schema'
import { type FfmpegRun, runFfmpeg } from '../ffmpeg/ffmpeg.ts'
import { openScratchFile, type ScratchFile } from '../ffmpeg/scratch.ts'
import { FfmpegError } from '../ffmpeg/supervised.ts'
import type { Size } from './picture.ts'

/** Longer sides in pixels. */
const [posterSide, tileSide] = [640, 160]
const mostTiles = 100
const tilesPerRow = 10
/** Shortest time between two tiles, and between two pictures that may become the poster. */
const leastStepMs = 2_000
/** Most pictures of which one becomes the poster. */
const mostLooks = 1_000
/** Sides in pixels of the small pictures from which the poster is chosen. They average the noise of a camera out. */
const look = { width: 32, height: 18 }
const lookBytes = look.width * look.height
/** Bytes a second at which a rung is at least read. */
const leastBytesPerSecond = 10_000_000
/** More bytes than a hundred tiles or a thousand looks have. */
const mostBytes = 16 * 1024 ** 2
/** Difference of brightness, of 255 steps, that shows more than one colour: a dim room has this much. */
const enoughContrast = 40

/** How a rung is read: an MP4 that begins with its header, fragmented or not. */
export interface PreviewRun
  extends Pick<FfmpegRun, 'ffmpegPath' | 'input' | 'size' | 'stallSeconds' | 'memoryBytes' | 'signal'> {
  scratchDirectory: string
  /** Length of the recording. */
  seconds: number
  width: number
  height: number
  /** Longest time between two key frames, where it is more than two seconds: then every frame may have to be decoded. */
  keySeconds?: number
}

/**
 * Makes two JPEG files of a recording: the poster, which is the first picture that is not almost black or of one colour, and a
 * sprite of small pictures at equal distances, for the timeline of a player. It reads only key frames where they are close
 * enough. Returns how the sprite is divided. Throws FfmpegError.
 */
export async function makePreviews(
  { seconds, width, height, keySeconds = 0, ...run }: PreviewRun,
  files: { poster: ScratchFile; storyboard: ScratchFile },
): Promise<Storyboard> {
  const storyboard = divide({ seconds, width, height })
  const lookMs = Math.max(leastStepMs, Math.ceil((seconds * 1000) / mostLooks))
  const lookCount = Math.max(1, Math.ceil((seconds * 1000) / lookMs))
  const pass = (keyFramesOnly: boolean, outputs: FfmpegRun['outputs']) =>
    runFfmpeg({
      ...run,
      // Nothing is written before the first picture that is wanted.
      stallSeconds: run.stallSeconds + run.size / leastBytesPerSecond,
      container: 'mp4',
      threads: { decoder: 1, filter: 1 },
      // What is written is stretched to the next picture, so its length says nothing.
      maxSeconds: Number.POSITIVE_INFINITY,
      maxBytes: mostBytes,
      seconds: undefined,
      isStream: true,
      onProgress: () => {},
      keyFramesOnly,
      outputs,
    })

  const looks = await openScratchFile(run.scratchDirectory)
  try {
    const outputs = [
      { options: spriteOptions(storyboard), file: files.storyboard },
      { options: lookOptions(lookMs, lookCount), file: looks },
    ]
    let keyFramesOnly = keySeconds <= storyboard.seconds
    await pass(keyFramesOnly, outputs)
    if ((await looks.handle.stat()).size === 0) {
      // None of its key frames can be decoded, or none is marked.
      keyFramesOnly = false
      await pass(keyFramesOnly, outputs)
    }
    const chosen = choose(await looks.handle.readFile())
    await pass(keyFramesOnly, [
      { options: posterOptions({ width, height }, lookMs, lookCount, chosen), file: files.poster },
    ])
  } finally {
    await looks.close()
  }
  for (const { handle } of Object.values(files)) {
    if ((await handle.stat()).size === 0) throw new FfmpegError('unreadable')
  }
  return storyboard
}

/** The sprite of a recording: a short one has few tiles. */
function divide({ seconds, width, height }: Size & { seconds: number }): Storyboard {
  // It is even, because the middle of a tile is needed, too.
  const stepMs = Math.max(leastStepMs, even((seconds * 1000) / mostTiles + 1))
  // A recording is often some milliseconds longer than its picture.
  const tiles = Math.min(mostTiles, Math.max(1, Math.ceil((seconds * 1000 - 100) / stepMs)))
  const columns = Math.min(tiles, tilesPerRow)
  return {
    columns,
    rows: Math.ceil(tiles / columns),
    ...within(tileSide, width, height),
    seconds: stepMs / 1000,
    tiles,
  }
}

const even = (side: number) => Math.max(2, Math.round(side / 2) * 2)

/** The size of a picture whose longer side is at most this many pixels. */
function within(side: number, width: number, height: number) {
  const factor = Math.min(1, side / Math.max(width, height))
  return { width: even(width * factor), height: even(height * factor) }
}

/**
 * Filters that show what is on the screen at equal distances, the first one at 0: also in a pause between two frames,
 * before the first one, and after the last one.
 */
const every = (stepMs: number, count: number) =>
  `fps=1000/${stepMs}:start_time=0:round=up,tpad=stop=${count}:stop_mode=clone`

/** Filters for a JPEG, whose colours are those of BT.601 with full range (JFIF). */
const toJpeg = ({ width, height }: Size) =>
  `scale=${width}:${height}:in_color_matrix=bt709:in_range=tv:out_color_matrix=bt601:out_range=pc,format=yuvj420p,setsar=1`

const outputOf = (filters: string, frames: number, format: string) => [
  // The clock of the input is kept: otherwise a picture that begins late would move to the beginning.
  ...['-copyts', '-map', '0:v:0', '-map_metadata', '-1', '-vf', filters, '-frames:v', `${frames}`],
  ...format.split(' '),
]
const jpeg = '-c:v mjpeg -q:v 4 -f mjpeg'

/** A tile shows the middle of its time, so that a key frame up to half of it earlier still lies within. */
function spriteOptions({ columns, rows, seconds, ...tile }: Storyboard): string[] {
  // The last tile is repeated to the end of its row.
  const halves = every(Math.round(seconds * 1000) / 2, columns * rows * 2)
  return outputOf(`${halves},select=mod(n\\,2),${toJpeg(tile)},tile=${columns}x${rows}`, 1, jpeg)
}

const lookOptions = (stepMs: number, count: number) =>
  outputOf(
    `${every(stepMs, count)},scale=${look.width}:${look.height}:flags=area,format=gray`,
    count,
    '-c:v rawvideo -f rawvideo',
  )

const posterOptions = ({ width, height }: Size, stepMs: number, count: number, chosen: number) =>
  outputOf(`${every(stepMs, count)},select=eq(n\\,${chosen}),${toJpeg(within(posterSide, width, height))}`, 1, jpeg)

/** The first picture with enough contrast, or with half of the greatest one where there is little. */
function choose(looks: Buffer): number {
  const contrasts = Array.from({ length: looks.length / lookBytes }, (_, index) =>
    contrastOf(looks.subarray(index * lookBytes, (index + 1) * lookBytes)),
  )
  const enough = Math.min(enoughContrast, Math.max(0, ...contrasts) / 2)
  return Math.max(
    0,
    contrasts.findIndex((contrast) => contrast >= enough),
  )
}

/** How much brighter the light parts of a picture are than the dark ones. A tenth of each, such as a date, does not count. */
function contrastOf(look: Buffer): number {
  const sorted = look.toSorted()
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0
  return at(0.9) - at(0.1)
}
