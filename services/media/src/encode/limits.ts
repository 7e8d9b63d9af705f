import { availableParallelism } from 'node:os'

/** Largest picture that is decoded, in pixels: 8K, standing or lying. */
export const largestPicture = { width: 8192, height: 4320, pixels: 8192 * 4320 }

/** ffmpeg's and ffprobe's input options that hold for whatever the container claims, and for a change of size later. */
export const pictureLimit = ['-max_pixels', String(largestPicture.pixels)]

/** Most threads of a decoder by the pixels of its picture: each thread keeps frames of its own. */
const decoderThreads = [
  { pixels: 1920 * 1088, threads: 8 },
  { pixels: 4096 * 2304, threads: 2 },
  { pixels: Number.POSITIVE_INFINITY, threads: 1 },
]
/** Most threads of the encoder, whose picture is never larger than 1080p; above 4K the decoder needs the memory. */
const encoderThreads = { most: 8, beside8k: 2 }

/**
 * ffmpeg's threads for a picture, so that its memory depends on the recording and not on how many cores the host has:
 * one decoder thread for 8K, two for 4K. The encoder takes half as many again as there are cores, as by default.
 */
export function threadsFor({ width, height }: { width: number; height: number }) {
  const cores = availableParallelism()
  const { threads = 1 } = decoderThreads.find(({ pixels }) => width * height <= pixels) ?? {}
  const most = threads === 1 ? encoderThreads.beside8k : encoderThreads.most
  return {
    decoder: Math.min(threads, cores),
    filter: Math.min(4, cores),
    encoder: Math.min(most, Math.ceil(cores * 1.5)),
  }
}

/** CPU seconds that any recording may take. */
const freeCpuSeconds = 600
/** Bytes that justify a CPU second: a still, highly compressed picture has some 4 KiB for each. */
const bytesPerCpuSecond = 256
/** CPU seconds that a second of the result justifies: a 4K recording at 60 frames a second takes three or four. */
const cpuSecondsPerSecond = 60

/** Most CPU seconds that the conversion of so many bytes may take, however long the result becomes. */
export const cpuSecondsForSize = (bytes: number): number => freeCpuSeconds + Math.ceil(bytes / bytesPerCpuSecond)

/** Most CPU seconds that may have been spent when so many seconds of the result are written. */
export const cpuSecondsForLength = (seconds: number): number => freeCpuSeconds + seconds * cpuSecondsPerSecond
