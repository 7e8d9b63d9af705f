import { availableParallelism } from 'node:os'

/** Largest picture that is decoded, in pixels: 8K, in landscape or in portrait. */
export const largestPicture = { width: 8192, height: 4320, pixels: 8192 * 4320 }

/** Input options of ffmpeg and ffprobe, also effective if the picture is not of the size that the container states. */
export const pictureLimit = ['-max_pixels', String(largestPicture.pixels)]

/**
 * Most threads by the pixels of the picture, because each thread needs memory for frames: with one thread of each part, an
 * 8K recording of a phone needs 768 MiB.
 */
const mostThreads = [
  { pixels: 1920 * 1088, decoder: 8, filter: 4, encoder: 8 },
  { pixels: 4096 * 2304, decoder: 2, filter: 2, encoder: 4 },
]
const oneOfEach = { decoder: 1, filter: 1, encoder: 1 }

/**
 * Threads of ffmpeg's parts, bounded so that its memory depends on the recording and not on the host's cores. Within the
 * bound the encoder has one and a half threads for each core, its default.
 */
export function threadsFor({ width, height }: { width: number; height: number }) {
  const cores = availableParallelism()
  const most = mostThreads.find(({ pixels }) => width * height <= pixels) ?? oneOfEach
  return {
    decoder: Math.min(most.decoder, cores),
    filter: Math.min(most.filter, cores),
    encoder: Math.min(most.encoder, Math.ceil(cores * 1.5)),
  }
}

/** CPU seconds that every recording may use. */
const freeCpuSeconds = 120
/** Bytes that allow one more CPU second: a still, highly compressed picture has about 4 KiB for each. */
const bytesPerCpuSecond = 256
/** CPU seconds for each second of the result: a 4K recording at 60 frames a second needs three or four. */
const cpuSecondsPerSecond = 60

/** Most CPU seconds for the conversion of so many bytes. */
export const cpuSecondsForSize = (bytes: number): number => freeCpuSeconds + Math.ceil(bytes / bytesPerCpuSecond)

/** Most CPU seconds until so many seconds of the result are written. */
export const cpuSecondsForLength = (seconds: number): number => freeCpuSeconds + seconds * cpuSecondsPerSecond
