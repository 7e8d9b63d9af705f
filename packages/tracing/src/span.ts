/** Ids, kinds, numbers and statuses. Never a URL, a query, a key of an object, a name, or a text that a client sent. */
export type Attributes = Record<string, string | number | boolean>

/** What a span is about. */
export interface About {
  /** One of few: a route's pattern, a kind of statement, a job. */
  name: string
  /** `internal` by default. */
  kind?: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  attributes?: Attributes
}

/** A span that has begun. */
export interface OpenSpan {
  /** Whether it will be sent. Those of a trace that is not recorded only hand on its id. */
  isRecorded: boolean
  traceId: string
  /** What continues the trace in another process, as W3C Trace Context spells it: 55 characters. */
  traceparent: string
  /** Runs work in which this is the current span, also after what it awaits. */
  within<T>(work: () => T): T
  /** Adds attributes. */
  note(attributes: Attributes): void
  /** Ends it. `failure` is the kind of an error, see {@link failureOf}, if it is to be shown as one. A second call does nothing. */
  end(failure?: string): void
}

export interface TracingSettings {
  /** Address of a collector that takes OTLP over HTTP; without it nothing is traced, and no library is loaded. */
  endpoint: string | undefined
  /** Which share of the traces is recorded, from 0 to 1. */
  ratio: number
  /** Name and version of this process. */
  service: string
  version: string
  /** Called when spans were dropped because the collector does not take them. */
  onFailure(error: unknown): void
}

export interface Tracing {
  /** Sends what waits. Resolves within a second in any case, so that a frozen collector holds up no process. */
  close(): Promise<void>
}

/** What records spans, in a process in which tracing is on. */
export interface Recorder extends Tracing {
  current(): OpenSpan | undefined
  /** Begins a span below the one that `traceparent` names, or else a trace. */
  beginTrace(about: About, traceparent: string | null | undefined): OpenSpan
  /** Begins a span below the current one; undefined where that is not recorded. */
  beginSpan(about: About): OpenSpan | undefined
  /** Runs work without a current span. */
  without<T>(work: () => T): T
}

/** The kind of an error: its code, such as a SQLSTATE, or its class. Its message may hold anything. */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (/^([A-Z][A-Z0-9_]{1,47}|\d[0-9A-Z]{4})$/.test(code)) return code
  return /^[A-Z]\w{0,63}$/.test(error.name) ? error.name : 'Error'
}
