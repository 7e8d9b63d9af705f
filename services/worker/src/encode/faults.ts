import { PermanentError } from '@playtherapy/jobs'
import { ObjectChangedError, ObjectMissingError } from '@playtherapy/object-store'
import { UnreadableError } from '../ffmpeg/probe.ts'
import type { OpenSource } from '../ffmpeg/source-server.ts'
import { FfmpegError } from '../ffmpeg/supervised.ts'

/** Nothing of the recording, or of a part of it, can be read in the way that was tried. */
export class UnreadableRecordingError extends PermanentError {
  constructor() {
    super('The file cannot be read as a video. It may be damaged or incomplete.')
  }
}

export const tooLarge = 'The encoded video would be larger than this installation allows.'
const tooMuchMemory = 'The recording takes more memory to convert than this installation allows.'
const tooMuchWork = 'The recording takes far longer to convert than its size explains.'
const changed = 'The uploaded file was changed or removed after it was announced.'

export const tooLong = (maxSeconds: number) => {
  const most = maxSeconds < 7_200 ? `${Math.floor(maxSeconds / 60)} minutes` : `${Math.floor(maxSeconds / 3600)} hours`
  return `The recording is longer than ${most}, the most that this installation takes.`
}

/** The error to throw: a PermanentError if it is due to the recording, so that a retry makes no sense. */
export function judged(error: unknown, source: OpenSource, maxSeconds: number, signal: AbortSignal): unknown {
  if (signal.aborted) return error
  const cause = source.readError() ?? error
  if (cause instanceof ObjectChangedError || cause instanceof ObjectMissingError)
    return new PermanentError(changed, { fault: 'ours' })
  // Half a file looks like a broken one, so ffmpeg's error means nothing.
  if (source.readError()) return cause
  return error instanceof UnreadableError ? new UnreadableRecordingError() : refused(error, maxSeconds)
}

/** The error to throw of a run of ffmpeg: a PermanentError if it ended because of its input. */
export function refused(error: unknown, maxSeconds: number): unknown {
  if (!(error instanceof FfmpegError)) return error
  if (error.why === 'unreadable') return new UnreadableRecordingError()
  const refusals: { [Why in FfmpegError['why']]?: string } = {
    'too large': tooLarge,
    'too long': tooLong(maxSeconds),
    'too much memory': tooMuchMemory,
    'too much work': tooMuchWork,
  }
  const refusal = refusals[error.why]
  return refusal ? new PermanentError(refusal) : error
}

/** Refuses a recording of which clearly less was read than it has. Throws PermanentError. */
export function insistOnLength(seconds: number, expected = 0): void {
  if (seconds >= expected * 0.97 - 2) return
  const minutes = (value: number) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, '0')}`
  throw new PermanentError(
    `The recording ends early: only ${minutes(seconds)} of ${minutes(expected)} could be read. Please upload it again.`,
  )
}
