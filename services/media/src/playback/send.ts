import { Readable } from 'node:stream'
import { type FindPlace, ObjectMissingError, type ObjectStore } from '@playtherapy/object-store'
import { createShares, errors, type Meter, whenOver } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { evaluateConditions, type Representation } from './conditions.ts'
import { createTurns } from './turns.ts'

/** One process sends at most this many recordings at once; each holds up to half a MiB while its client is slow. */
const mostPlaybacks = 1_024
/** One therapist's share is 1/16 of `mostPlaybacks`: 64. The store reads ahead for each of them, paused or not. */
const playbackParts = 16
/** At most this many reads of the store run at once; with more, a store serves each of them only more slowly. */
const mostReads = 32

/** A gateway sets it where the store did not have what it was to send: we look again, and send it ourselves. */
const againHeader = 'x-playback-again'

/** Some consecutive bytes of what is played, in an object of the store. */
export interface Piece {
  key: string
  etag: string
  /** Place of the first byte in the object. */
  from: number
  /** Its place in what is played, and the number of bytes. */
  start: number
  bytes: number
}

/** An object of the store, or some that are joined, and how they are described. */
export interface Playable extends Representation {
  /** The key of the object, or what was found of several: at least the pieces of the range that is sent. */
  key: string | Piece[]
  /** Its file name in errors. Links have one of their own, because their bearers may know nothing of the object. */
  name: string
  /** Its Content-Type. */
  type: string
  /** Further headers of every response about it. */
  headers?: Record<string, string>
}

/** Finds what a request plays; throws where there is nothing. */
type Find = () => Promise<Playable>

/** Sends what is played. The routes of therapists and those of signed links share one, and with it the bounds. */
export interface Sender {
  get(request: FastifyRequest, reply: FastifyReply, find: Find): Promise<FastifyReply>
  /** Sends the headers of a GET without a range, and opens no object. */
  head(request: FastifyRequest, reply: FastifyReply, find: Find): Promise<FastifyReply>
}

export interface SenderOptions {
  store: Pick<ObjectStore, 'get'>
  /** The nginx in front of this service reads recordings from the object store itself, below this internal location. */
  gateway?: { prefix: string; findPlace: FindPlace }
}

/** The refusals of these routes, beside those of their scope. */
export const playbackErrors = ['preconditionFailed', 'rangeNotSatisfiable', 'downloadFailed'] as const

const text = (description: string) => Type.Optional(Type.String({ description }))

/** Their request headers, for the OpenAPI document; conditions.ts evaluates them. */
export const PlaybackHeaders = Type.Object({
  range: text('`bytes=0-1048575`; the answer is 206'),
  'if-range': text('ETag of the file of which the range is to be a part; otherwise all of it is sent'),
  'if-match': text('ETag that the file must have; otherwise 412'),
  'if-none-match': text('ETag of the copy at hand; 304 while that is right'),
})

/** The responses of these routes, for the OpenAPI document. */
export const playbackResponses = (type: string) => {
  const bytes = { [type]: { schema: { type: 'string', format: 'binary' } } }
  return {
    200: { description: 'The whole file', content: bytes },
    206: { description: 'The requested range', content: bytes },
    304: { description: 'The client’s copy is still current', type: 'null' },
  }
}

/** Creates the sender of a process. */
export function createSender({ store, gateway }: SenderOptions, meter: Meter): Sender {
  const playbacks = createShares(mostPlaybacks, playbackParts)
  const turns = createTurns(mostReads)
  meter.refusals('playbacks', playbacks.refused)
  meter.gauges(
    {
      playbacks_in_flight: { help: 'Responses with bytes of a recording that media sends now, of the 1,024 that may' },
    },
    async () => ({ playbacks_in_flight: playbacks.held }),
  )
  return {
    async get(request, reply, find) {
      // A gateway that sends the bytes bounds how many recordings one therapist has open. What it did not find it asks for again.
      const offload = request.headers[againHeader] === undefined ? gateway : undefined
      const hold = () => whenOver(request, reply, playbacks.take(request.userId))
      if (!offload) hold()
      const disconnected = new AbortController()
      const turn = () => turns.take(request.userId)
      const open = ({ key, ...range }: Read) => store.get(key, { ...range, turn, signal: disconnected.signal })

      const send = async (isAgain: boolean): Promise<FastifyReply> => {
        const playable = await find()
        const { size } = playable
        const outcome = evaluateConditions(request.headers, playable)
        if (outcome.status === 304) return describe(reply, playable).code(304).send()
        if (outcome.status === 416) {
          reply.header('content-range', `bytes */${size}`)
          throw errors.rangeNotSatisfiable(size)
        }
        const { status, start, end } = outcome
        const [first, ...rest] = readsOf(playable, start, end)
        if (!first) throw new Error('nothing of this range was found')
        const range = status === 206 ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}
        if (offload && rest.length === 0) {
          // The store's response carries status and length.
          const place = await offload.findPlace(first.key, first.ifMatch)
          reply.header('x-accel-redirect', offload.prefix + place.slice(1)).header('x-playback-version', first.ifMatch)
          if (status === 206) reply.header('x-playback-range', `bytes=${first.start}-${first.end}`)
          reply.header('x-playback-therapist', request.userId).header('x-playback-name', playable.name)
          return describe(reply, playable).headers(range).type(playable.type).send()
        }
        if (offload && !isAgain) hold()
        if (!isAgain) whenOver(request, reply, () => disconnected.abort())
        let stream: Readable
        try {
          stream = await open(first)
        } catch (error) {
          // An object can be replaced after it was found, by one that joins several, or by a newer recording.
          if (error instanceof ObjectMissingError && !isAgain) return send(true)
          if (!disconnected.signal.aborted) request.log.error({ err: error }, 'a rendition could not be read')
          throw errors.downloadFailed(playable.name, error)
        }
        return describe(reply, playable)
          .code(status)
          .headers(range)
          .type(playable.type)
          .header('content-length', end - start + 1)
          .send(rest.length > 0 ? Readable.from(inOrder(stream, rest, open), { objectMode: false }) : stream)
      }
      return send(false)
    },

    async head(request, reply, find) {
      const playable = await find()
      describe(reply, playable)
      const { status } = evaluateConditions({ ...request.headers, range: undefined }, playable)
      if (status === 304) return reply.code(304).send()
      return reply.type(playable.type).header('content-length', playable.size).send()
    },
  }
}

/** A range of an object, as the store reads it. */
interface Read {
  key: string
  start: number
  end: number
  ifMatch: string
}

/** The reads that together give the bytes `start` to `end` of what is played. */
function readsOf({ key, etag, size }: Playable, start: number, end: number): Read[] {
  const pieces = typeof key === 'string' ? [{ key, etag, from: 0, start: 0, bytes: size }] : key
  return pieces
    .filter((piece) => piece.start <= end && piece.start + piece.bytes > start)
    .map((piece) => ({
      key: piece.key,
      start: piece.from + Math.max(start - piece.start, 0),
      end: piece.from + Math.min(end - piece.start, piece.bytes - 1),
      ifMatch: piece.etag,
    }))
}

async function* inOrder(first: Readable, rest: Read[], open: (read: Read) => Promise<Readable>) {
  yield* first
  for (const read of rest) yield* await open(read)
}

/** Sets the headers of every response about it. No cache, not even the browser's, may store a recording. */
function describe(reply: FastifyReply, { etag, createdAt, headers }: Playable): FastifyReply {
  return reply.headers({
    'accept-ranges': 'bytes',
    etag,
    ...(createdAt && { 'last-modified': createdAt.toUTCString() }),
    'cache-control': 'private, no-store',
    'content-disposition': 'inline',
    ...headers,
  })
}
