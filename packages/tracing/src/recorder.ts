import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout } from 'node:timers/promises'
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api'
import { setGlobalErrorHandler } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base'
import type { About, OpenSpan, Recorder, TracingSettings } from './span.ts'

/** Spans that wait to be sent; while there are so many, further ones are dropped. */
const mostWaiting = 2_048
/** Spans that are sent at once. A batch is written as JSON in one turn of the event loop. */
const batchSpans = 256
/** Longest pause between two batches. */
const pauseMs = 2_000
/** Longest time for a batch, with all attempts. */
const sendMs = 5_000
/** Longest time for what waits when the process stops. */
const closeMs = 1_000

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
}

/** Version 00 of W3C Trace Context, and nothing else. Two headers reach us as one, with a comma. */
const traceparentShape = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/

/** The context of a span of another process. */
function remote(traceparent: string | null | undefined): Context {
  const [, traceId, spanId] = traceparentShape.exec(traceparent ?? '') ?? []
  if (!traceId || !spanId) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true })
}

/**
 * Records spans and sends them in batches. Nothing waits for the collector: spans that it does not take are dropped. The id
 * of a trace decides whether it is recorded, in every process alike, and not a flag that a client could set. No global of
 * the library is set, so nothing else is traced, and modules are not hooked.
 */
export function createRecorder(settings: TracingSettings & { endpoint: string }): Recorder {
  const { endpoint, ratio, service, version, onFailure } = settings
  setGlobalErrorHandler(onFailure)
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    timeoutMillis: sendMs,
    // All that wait are sent at once at the end, beside what is being sent already.
    concurrencyLimit: (2 * mostWaiting) / batchSpans,
  })
  const processor = new BatchSpanProcessor(exporter, {
    maxQueueSize: mostWaiting,
    maxExportBatchSize: batchSpans,
    scheduledDelayMillis: pauseMs,
    exportTimeoutMillis: sendMs,
  })
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.version': version }),
    sampler: new TraceIdRatioBasedSampler(ratio),
    spanProcessors: [processor],
  })
  const tracer = provider.getTracer('playtherapy')
  const storage = new AsyncLocalStorage<OpenSpan & { context: Context }>()

  const begin = ({ name, kind = 'internal', attributes = {} }: About, parent: Context) =>
    openSpan(tracer.startSpan(name, { kind: kinds[kind], attributes }, parent), parent)

  function openSpan(span: Span, parent: Context) {
    const { traceId, spanId, traceFlags } = span.spanContext()
    const isRecorded = span.isRecording()
    const opened = {
      context: trace.setSpan(parent, span),
      isRecorded,
      traceId,
      traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`,
      within: <T>(work: () => T): T => storage.run(opened, work),
      note: (attributes: Parameters<OpenSpan['note']>[0]) => void span.setAttributes(attributes),
      end(failure?: string) {
        if (!span.isRecording()) return
        if (failure) span.setAttribute('error.type', failure).setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      },
    }
    return opened
  }

  return {
    current: () => storage.getStore(),
    beginTrace: (about, traceparent) => begin(about, remote(traceparent)),
    beginSpan(about) {
      const parent = storage.getStore()
      return parent?.isRecorded ? begin(about, parent.context) : undefined
    },
    without: (work) => storage.exit(work),
    async close() {
      const over = new AbortController()
      const late = setTimeout(closeMs, undefined, { signal: over.signal }).catch(() => {})
      await Promise.race([provider.shutdown().catch(onFailure), late])
      over.abort()
    },
  }
}
