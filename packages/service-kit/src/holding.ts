import { Readable, Transform } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fault } from './errors.ts'
import { whenOver } from './over.ts'
import { boundRate, boundReading, leastBytesPerSecond } from './rate.ts'
import type { Shares } from './shares.ts'

/**
 * How many bytes a process may hold in bodies that are read as a whole and in responses that are not yet sent: a sixth of
 * the 384 MiB that docker-compose.yml gives a service.
 */
export const mostHeldBytes = 64 * 1024 ** 2
/** Bytes that V8 needs for an object, a key or a text, as a mean of the expensive kinds. */
const valueBytes = 80
/** Parsed bodies with this many values or fewer are not counted. */
const fewValues = 100
/** Responses up to this size are not counted, because the buffers of the operating system hold them. */
const smallAnswerBytes = 64 * 1024
/** The time over which the speed of reading a response is measured. */
const readingMs = 60_000

/** The lowest rate, measured over `windowMs`. */
const leastRate = (windowMs: number) => ({ windowMs, leastBytes: (leastBytesPerSecond * windowMs) / 1000 })

/** Whether Fastify reads the whole body before the handler runs. Multipart bodies and recordings are streamed. */
function isReadWhole({ headers, routeOptions }: FastifyRequest): boolean {
  if (routeOptions.config.streams) return false
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return false
  return /json/i.test(headers['content-type'] ?? '')
}

/** Playback has limits of its own, because players pause. */
const isPlayed = (contentType: unknown) => String(contentType).startsWith('video/')

/**
 * Limits the memory that clients make a process hold.
 *
 * - A body that is read as a whole takes its length from the limit, and from the share of its therapist, before it is
 *   read, or chunk by chunk if it does not announce its length. Throws `errors.tooManyRequests` or `errors.unavailable`.
 * - The parsed body takes more, by the number of its values.
 * - The body must arrive within `bodyMs`, or at a minimum rate on routes with a larger body limit. Otherwise the answer
 *   is `errors.unreadable(408)`.
 * - A response that is in memory as a whole takes its length until it is sent.
 */
export function installHolding(scope: FastifyInstance, shares: Shares, bodyMs = 10_000): void {
  const usualLimit = scope.initialConfig.bodyLimit ?? 0

  scope.addHook('preParsing', (request, reply, payload, next) => {
    const { raw, userId, headers, routeOptions } = request
    const { bodyLimit = usualLimit } = routeOptions
    const length = Number(headers['content-length'])
    // A body that is too long is refused without being read.
    if (!isReadWhole(request) || length > bodyLimit) return next(null, payload)
    const held: (() => void)[] = []
    whenOver(request, reply, () => {
      for (const giveBack of held) giveBack()
    })
    const hold = (bytes: number) => held.push(shares.take(userId, bytes))
    try {
      if (length > 0) hold(length)
    } catch (error) {
      return next(asError(error))
    }
    if (raw.complete && length >= 0) return next(null, payload)
    const body = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        try {
          if (Number.isNaN(length)) hold(chunk.length)
        } catch (error) {
          return done(asError(error))
        }
        done(null, chunk)
      },
    })
    const rate = bodyLimit > usualLimit ? leastRate(bodyMs) : { windowMs: bodyMs, leastBytes: Number.POSITIVE_INFINITY }
    // Fastify may have stopped reading, for example because the body is too long.
    body.on('error', () => {})
    boundRate(raw, rate, (error) => body.destroy(error))
    raw.once('error', () => body.destroy(fault(['body'], 'was broken off')))
    next(null, payload.pipe(body))
  })

  // The parsed body is held until the response: a body of brackets and commas takes twenty times its length.
  scope.addHook('preValidation', (request, reply, next) => {
    // A streamed body is not parsed. `request.body` may then be the stream itself, whose properties form circles.
    const values = isReadWhole(request) ? countValues(request.body) : 0
    if (values <= fewValues) return next()
    try {
      whenOver(request, reply, shares.take(request.userId, values * valueBytes))
    } catch (error) {
      return next(asError(error))
    }
    next()
  })

  scope.addHook('onSend', (request, reply, payload, next) => {
    if (payload instanceof Readable) {
      if (!isPlayed(reply.getHeader('content-type'))) boundReading(reply.raw, leastRate(readingMs))
    } else if ((typeof payload === 'string' || Buffer.isBuffer(payload)) && payload.length > smallAnswerBytes) {
      const bytes = Buffer.byteLength(payload)
      const { raw } = reply
      let giveBack: () => void
      try {
        // A single response may be larger than a share.
        giveBack = shares.take(request.userId, Math.min(bytes, shares.share))
      } catch (error) {
        return next(asError(error))
      }
      const late = setTimeout(() => raw.destroy(), readingMs + (bytes / leastBytesPerSecond) * 1000).unref()
      whenOver(request, reply, () => {
        clearTimeout(late)
        giveBack()
      })
    }
    next(null, payload)
  })
}

/** Counts the values in a parsed body, itself included. */
function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  let count = 1
  for (const child of Object.values(value)) count += countValues(child)
  return count
}

const asError = (thrown: unknown) => (thrown instanceof Error ? thrown : new Error('nothing was held'))
