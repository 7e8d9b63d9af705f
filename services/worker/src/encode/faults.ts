import { PermanentError } from '@playtherapy/jobs'
import { ObjectChangedError, ObjectMissingError } from '@playtherapy/object-store'
import { failures } from '@playtherapy/schema'
import { UnreadableError } from '../ffmpeg/probe.ts'
import type { OpenSource } from '../ffmpeg/source-server.ts'
import { FfmpegError } from '../ffmpeg/supervised.ts'

/** Nothing of the recording, or of a part of it, can be read in the way that was tried. */
export class UnreadableRecordingError extends PermanentError {
  constructor() {
    super(`${failures.unreadable} It may be damaged or incomplete.`)
  }
}

export const tooLong = (maxSeconds: number) => {
  const most = maxSeconds < 7_200 ? `${Math.floor(maxSeconds / 60)} minutes` : `${Math.floor(maxSeconds / 3600)} hours`
  return `${failures.too_long} ${most}, the most that this installation takes.`
}

/** The error to throw: a PermanentError if it is due to the recording, so that a retry makes no sense. */
export function judged(error: unknown, source: OpenSource, maxSeconds: number, signal: AbortSignal): unknown {
  if (signal.aborted) return error
  const cause = source.readError() ?? error
  if (cause instanceof ObjectChangedError || cause instanceof ObjectMissingError)
    return new PermanentError(failures.changed, { fault: 'ours' })
  // Half a file looks like a broken one, so ffmpeg's error means nothing.
  if (source.readError()) return cause
  return error instanceof UnreadableError ? new UnreadableRecordingError() : refused(error, maxSeconds)
}

/** The error to throw of a run of ffmpeg: a PermanentError if it ended because of its input. */
export function refused(error: unknown, maxSeconds: number): unknown {
  if (!(error instanceof FfmpegError)) return error
  if (error.why === 'unreadable') return new UnreadableRecordingError()
  const refusals: { [Why in FfmpegError['why']]?: string } = {
    'too large': failures.encoded_too_large,
    'too long': tooLong(maxSeconds),
    'too much memory': failures.too_much_memory,
    'too much work': failures.too_much_work,
  }
  const refusal = refusals[error.why]
  return refusal ? new PermanentError(refusal) : error
}

/** Refuses a recording of which clearly less was read than it has. Throws PermanentError. */
export function insistOnLength(seconds: number, expected = 0): void {
  if (seconds >= expected * 0.97 - 2) return
  const minutes = (value: number) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, '0')}`
  throw new PermanentError(
    `${failures.ends_early} only ${minutes(seconds)} of ${minutes(expected)} could be read. Please upload it again.`,
  )
}
