import { availableParallelism } from 'node:os'

/** Largest picture that is decoded, in pixels: 8K, in landscape or in portrait. */
export const largestPicture = { width: 8192, height: 4320, pixels: 8192 * 4320 }

/** Input options of ffmpeg and ffprobe. They hold whatever size the container states, and also when it changes later. */
export const pictureLimit = ['-max_pixels', String(largestPicture.pixels)]

/**
 * Most threads by the pixels of the picture. Each thread of a decoder keeps frames of its own, and the other parts need
 * memory too: with one thread of each, an 8K recording of a phone fits into 768 MiB.
 */
const mostThreads = [
  { pixels: 1920 * 1088, decoder: 8, filter: 4, encoder: 8 },
  { pixels: 4096 * 2304, decoder: 2, filter: 2, encoder: 4 },
]
const oneOfEach = { decoder: 1, filter: 1, encoder: 1 }

/**
 * The number of threads of ffmpeg's parts, so that its memory depends on the recording and not on the host's cores. Up to
 * that bound the encoder uses one and a half threads for each core, as it does by default.
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
/** Bytes that allow one CPU second more: a still, highly compressed picture has about 4 KiB for each. */
const bytesPerCpuSecond = 256
/** CPU seconds that each second of the result allows: a 4K recording at 60 frames a second needs three or four. */
const cpuSecondsPerSecond = 60

/** Most CPU seconds that the conversion of so many bytes may use, however long the result becomes. */
export const cpuSecondsForSize = (bytes: number): number => freeCpuSeconds + Math.ceil(bytes / bytesPerCpuSecond)

/** Most CPU seconds that may be used by the time so many seconds of the result are written. */
export const cpuSecondsForLength = (seconds: number): number => freeCpuSeconds + seconds * cpuSecondsPerSecond
