import { availableParallelism } from 'node:os'

/** Largest picture that is decoded, in pixels: 8K, standing or lying. */
export const largestPicture = { width: 8192, height: 4320, pixels: 8192 * 4320 }

/** ffmpeg's and ffprobe's input options that hold for whatever the container claims, and for a change of size later. */
export const pictureLimit = ['-max_pixels', String(largestPicture.pixels)]

/**
 * Most threads by the pixels of the picture. A decoder's threads keep frames of their own, and the others' memory is
 * missed beside it: with one of each an 8K recording of a phone fits into 768 MiB.
 */
const mostThreads = [
  { pixels: 1920 * 1088, decoder: 8, filter: 4, encoder: 8 },
  { pixels: 4096 * 2304, decoder: 2, filter: 2, encoder: 4 },
]
const oneOfEach = { decoder: 1, filter: 1, encoder: 1 }

/**
 * ffmpeg's threads for a picture, so that its memory depends on the recording and not on how many cores the host has.
 * The encoder otherwise takes half as many again as there are cores, as by default.
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

/** CPU seconds that any recording may take. */
const freeCpuSeconds = 120
/** Bytes that justify a CPU second: a still, highly compressed picture has some 4 KiB for each. */
const bytesPerCpuSecond = 256
/** CPU seconds that a second of the result justifies: a 4K recording at 60 frames a second takes three or four. */
const cpuSecondsPerSecond = 60

/** Most CPU seconds that the conversion of so many bytes may take, however long the result becomes. */
export const cpuSecondsForSize = (bytes: number): number => freeCpuSeconds + Math.ceil(bytes / bytesPerCpuSecond)

/** Most CPU seconds that may have been spent when so many seconds of the result are written. */
export const cpuSecondsForLength = (seconds: number): number => freeCpuSeconds + seconds * cpuSecondsPerSecond
