import { type About, failureOf, type OpenSpan, type Recorder, type Tracing, type TracingSettings } from './span.ts'

export { type Attributes, failureOf, type OpenSpan, type Tracing } from './span.ts'

/** Undefined as long as tracing is off; then all functions below do nothing but the work that they are given. */
let recorder: Recorder | undefined

/** Turns tracing on, if there is a collector. Call it once in a process, before anything that may be traced. */
export async function startTracing(settings: TracingSettings): Promise<Tracing> {
  const { endpoint } = settings
  if (endpoint === undefined) return { close: async () => {} }
  const { createRecorder } = await import('./recorder.ts')
  const started = createRecorder({ ...settings, endpoint })
  recorder = started
  return started
}

export const isTracing = (): boolean => recorder !== undefined

/** Whether there is a current span that is recorded. */
export const isTraced = (): boolean => recorder?.current()?.isRecorded ?? false

/**
 * Begins a span below that of another process, which `traceparent` names, or else a trace. What is no valid traceparent is ignored.
 * Undefined while tracing is off.
 */
export const beginTrace = (about: About, traceparent?: string | null): OpenSpan | undefined =>
  recorder?.beginTrace(about, traceparent)

/** Begins a span below the current one; undefined where there is none that is recorded. */
export const beginSpan = (about: About): OpenSpan | undefined => recorder?.beginSpan(about)

/**
 * Runs work in a span below the current one, which ends with it. Where there is none, it only runs the work. `isFailure` says whether
 * an error is to be shown as one.
 */
export function inSpan<T>(
  about: About,
  work: () => Promise<T>,
  isFailure: (error: unknown) => boolean = () => true,
): Promise<T> {
  const span = beginSpan(about)
  if (!span) return work()
  return span.within(work).then(
    (result) => {
      span.end()
      return result
    },
    (error: unknown) => {
      span.end(isFailure(error) ? failureOf(error) : undefined)
      throw error
    },
  )
}

/** What continues the current trace in another process; undefined where there is none. */
export const currentTraceparent = (): string | undefined => recorder?.current()?.traceparent

/** Runs work without spans: what is repeated so often that it would fill a trace. */
export const untraced = <T>(work: () => T): T => (recorder ? recorder.without(work) : work())
