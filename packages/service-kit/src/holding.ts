import { Readable, Transform } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fault } from './errors.ts'
import { whenOver } from './over.ts'
import { boundRate, boundReading } from './rate.ts'
import type { Shares } from './shares.ts'

/**
 * Most bytes that a process holds of bodies that it reads whole and of answers that are not read yet: a sixth of the
 * 384 MiB that docker-compose.yml gives a service.
 */
export const mostHeldBytes = 64 * 1024 ** 2
/** Bytes that V8 takes for an object, a key of it or a text, as a mean of the costly ones. */
const valueBytes = 80
/** Parsed bodies of so few values are not counted. */
const fewValues = 100
/** Answers up to so many bytes are not counted: the system's buffers take them at once. */
const smallAnswerBytes = 64 * 1024
/** Least speed of a long body, and of a reader, in bytes a second. */
const leastBytesPerSecond = 16 * 1024
/** Time over which the speed of a reader is measured, in milliseconds. */
const readingMs = 60_000

/** Least speed over so many milliseconds. */
const leastRate = (windowMs: number) => ({ windowMs, leastBytes: (leastBytesPerSecond * windowMs) / 1000 })

/** Whether Fastify gathers the body before the handler runs: multipart bodies and recordings stream. */
function isReadWhole({ headers, routeOptions }: FastifyRequest): boolean {
  if (routeOptions.config.streams) return false
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return false
  return /json/i.test(headers['content-type'] ?? '')
}

/** Players pause, so that playback has bounds of its own. */
const isPlayed = (contentType: unknown) => String(contentType).startsWith('video/')

/**
 * Bounds the memory that clients make a process hold. A body that is read whole takes its length of the bound, and of
 * its therapist's share, before it is read, or chunk by chunk where it does not tell its length; beyond that 429 or 503.
 * What is parsed of it takes more by the number of its values. It has to come within `bodyMs`, or at a least rate on routes that take more than the usual; otherwise 408. An answer
 * that is at hand whole takes its length until it is read.
 */
export function installHolding(scope: FastifyInstance, shares: Shares, bodyMs = 10_000): void {
  const usualLimit = scope.initialConfig.bodyLimit ?? 0

  scope.addHook('preParsing', (request, reply, payload, next) => {
    const { raw, userId, headers, routeOptions } = request
    const { bodyLimit = usualLimit } = routeOptions
    const length = Number(headers['content-length'])
    // One that is too long is refused unread.
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
    // Whoever reads it may have stopped, as when it is too long.
    body.on('error', () => {})
    boundRate(raw, rate, (error) => body.destroy(error))
    raw.once('error', () => body.destroy(fault(['body'], 'was broken off')))
    next(null, payload.pipe(body))
  })

  // What was parsed is held until the answer: a body of brackets and commas takes twenty times its length.
  scope.addHook('preValidation', (request, reply, next) => {
    // What streams has nothing parsed; its body may be the stream itself, whose parts lead in circles.
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
        // One answer alone may be larger than a share.
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

/** Values in a parsed body, itself included. */
function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  let count = 1
  for (const child of Object.values(value)) count += countValues(child)
  return count
}

const asError = (thrown: unknown) => (thrown instanceof Error ? thrown : new Error('nothing was held'))
