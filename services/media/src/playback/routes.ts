import { type FindPlace, inFolder, type ObjectStore } from '@playtherapy/object-store'
import type { Database, SessionOfCaller } from '@playtherapy/schema'
import { createShares, ErrorBody, errors, failures, SessionParams, whenOver } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { evaluateConditions } from './conditions.ts'
import { findPlayable, type Playable } from './repository.ts'
import { createTurns } from './turns.ts'

/** One process sends at most this many recordings at once; each holds up to half a MiB while its client is slow. */
const mostPlaybacks = 1_024
/** One therapist's share is 1/16 of `mostPlaybacks`: 64. The store reads ahead for each of them, paused or not. */
const playbackParts = 16
/** At most this many reads of the store run at once; with more, a store serves each of them only more slowly. */
const mostReads = 32

const schema = {
  tags: ['video'],
  security: [{ token: [] }],
  params: SessionParams,
  description:
    'H.264/AAC in MP4. Supports Range, If-Range, If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since. The header Link names the captions if there is a script.',
}
const bytes = { 'video/mp4': { schema: { type: 'string', format: 'binary' } } }
const response = {
  200: { description: 'The whole recording', content: bytes },
  206: { description: 'The requested range', content: bytes },
  304: { description: 'The client’s copy is still current', type: 'null' },
  412: ErrorBody,
  416: ErrorBody,
  ...failures,
}

export interface PlaybackOptions {
  db: Database
  store: ObjectStore
  /** The nginx in front of this service reads recordings from the object store itself, below this internal location. */
  gateway?: { prefix: string; findPlace: FindPlace }
}

/** The routes that play an encoded recording. */
export async function playbackRoutes(app: FastifyInstance, { db, store, gateway }: PlaybackOptions): Promise<void> {
  const playable = findPlayable(db)
  const playbacks = createShares(mostPlaybacks, playbackParts)
  const turns = createTurns(mostReads)
  const find = async (caller: SessionOfCaller): Promise<Playable> => {
    const rendition = await playable(caller)
    if (!rendition) throw errors.noVideo(caller.sessionId)
    return rendition
  }

  app.get(
    '/video',
    { exposeHeadRoute: false, schema: { ...schema, summary: 'Play the encoded recording', response } },
    async (request, reply) => {
      const disconnected = new AbortController()
      // A gateway that sends the bytes also bounds how many recordings one therapist has open.
      const release = gateway ? undefined : playbacks.take(request.userId)
      whenOver(request, reply, () => {
        release?.()
        disconnected.abort()
      })
      const rendition = await find(request)
      const outcome = evaluateConditions(request.headers, rendition)
      if (outcome.status === 304) return describe(reply, rendition).code(304).send()
      if (outcome.status === 416) {
        reply.header('content-range', `bytes */${rendition.size}`)
        throw errors.rangeNotSatisfiable(rendition.size)
      }
      const { status, start, end } = outcome
      const key = inFolder('video', rendition.path)
      if (gateway) {
        const place = await gateway.findPlace(key, rendition.etag)
        // The store's response carries status, length and range; findPlace() made sure that it has our ETag.
        reply.header('x-accel-redirect', gateway.prefix + place.slice(1))
        if (status === 206) reply.header('x-playback-range', `bytes=${start}-${end}`)
        reply.header('x-playback-therapist', request.userId)
        return describe(reply, rendition).type('video/mp4').send()
      }
      const turn = () => turns.take(request.userId)
      const options = { start, end, ifMatch: rendition.etag, turn, signal: disconnected.signal }
      const stream = await store.get(key, options).catch((error: unknown) => {
        if (!disconnected.signal.aborted) request.log.error({ err: error }, 'a rendition could not be read')
        throw errors.downloadFailed(rendition.path.split('/').at(-1) ?? '', error)
      })
      if (status === 206) reply.header('content-range', `bytes ${start}-${end}/${rendition.size}`)
      return describe(reply, rendition)
        .code(status)
        .type('video/mp4')
        .header('content-length', end - start + 1)
        .send(stream)
    },
  )

  // A HEAD returns the headers of a GET without a range, and opens no object.
  app.head(
    '/video',
    { schema: { ...schema, summary: 'Size and ETag of the encoded recording', response } },
    async (request, reply) => {
      const rendition = await find(request)
      describe(reply, rendition)
      const { status } = evaluateConditions({ ...request.headers, range: undefined }, rendition)
      if (status === 304) return reply.code(304).send()
      return reply.type('video/mp4').header('content-length', rendition.size).send()
    },
  )
}

/** The captions of a recording: its newest script, served by the script service. Relative to the recording's URL. */
const captions = '<script.vtt>; rel="related"; type="text/vtt"; title="captions"'

/** Sets the headers of every response about a rendition. No cache, not even the browser's, may store a recording. */
function describe(reply: FastifyReply, { etag, createdAt, hasScript }: Playable): FastifyReply {
  return reply.headers({
    ...(hasScript && { link: captions }),
    'accept-ranges': 'bytes',
    etag,
    'last-modified': createdAt.toUTCString(),
    'cache-control': 'private, no-store',
    'content-disposition': 'inline',
  })
}
