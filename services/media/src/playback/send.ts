import type { FindPlace, ObjectStore } from '@playtherapy/object-store'
import { createShares, ErrorBody, errors, whenOver } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { evaluateConditions, type Representation } from './conditions.ts'
import { createTurns } from './turns.ts'

/** One process sends at most this many recordings at once; each holds up to half a MiB while its client is slow. */
const mostPlaybacks = 1_024
/** One therapist's share is 1/16 of `mostPlaybacks`: 64. The store reads ahead for each of them, paused or not. */
const playbackParts = 16
/** At most this many reads of the store run at once; with more, a store serves each of them only more slowly. */
const mostReads = 32

/** An object of the store, and how it is described. */
export interface Playable extends Representation {
  /** Its key in the store. */
  key: string
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

/** The responses of these routes, for the OpenAPI document. */
export const playbackResponses = (type: string) => {
  const bytes = { [type]: { schema: { type: 'string', format: 'binary' } } }
  return {
    200: { description: 'The whole file', content: bytes },
    206: { description: 'The requested range', content: bytes },
    304: { description: 'The client’s copy is still current', type: 'null' },
    412: ErrorBody,
    416: ErrorBody,
  }
}

/** Creates the sender of a process. */
export function createSender({ store, gateway }: SenderOptions): Sender {
  const playbacks = createShares(mostPlaybacks, playbackParts)
  const turns = createTurns(mostReads)
  return {
    async get(request, reply, find) {
      const disconnected = new AbortController()
      // A gateway that sends the bytes also bounds how many recordings one therapist has open.
      const release = gateway ? undefined : playbacks.take(request.userId)
      whenOver(request, reply, () => {
        release?.()
        disconnected.abort()
      })
      const playable = await find()
      const { key, size, etag } = playable
      const outcome = evaluateConditions(request.headers, playable)
      if (outcome.status === 304) return describe(reply, playable).code(304).send()
      if (outcome.status === 416) {
        reply.header('content-range', `bytes */${size}`)
        throw errors.rangeNotSatisfiable(size)
      }
      const { status, start, end } = outcome
      if (gateway) {
        const place = await gateway.findPlace(key, etag)
        // The store's response carries status, length and range; findPlace() made sure that it has our ETag.
        reply.header('x-accel-redirect', gateway.prefix + place.slice(1))
        if (status === 206) reply.header('x-playback-range', `bytes=${start}-${end}`)
        reply.header('x-playback-therapist', request.userId)
        return describe(reply, playable).type(playable.type).send()
      }
      const turn = () => turns.take(request.userId)
      const options = { start, end, ifMatch: etag, turn, signal: disconnected.signal }
      const stream = await store.get(key, options).catch((error: unknown) => {
        if (!disconnected.signal.aborted) request.log.error({ err: error }, 'a rendition could not be read')
        throw errors.downloadFailed(key.split('/').at(-1) ?? '', error)
      })
      if (status === 206) reply.header('content-range', `bytes ${start}-${end}/${size}`)
      return describe(reply, playable)
        .code(status)
        .type(playable.type)
        .header('content-length', end - start + 1)
        .send(stream)
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

/** Sets the headers of every response about it. No cache, not even the browser's, may store a recording. */
function describe(reply: FastifyReply, { etag, createdAt, headers }: Playable): FastifyReply {
  return reply.headers({
    'accept-ranges': 'bytes',
    etag,
    'last-modified': createdAt.toUTCString(),
    'cache-control': 'private, no-store',
    'content-disposition': 'inline',
    ...headers,
  })
}
