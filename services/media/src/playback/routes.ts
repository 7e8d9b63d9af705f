import { type FindPlace, inFolder, type ObjectStore } from '@playtherapy/object-store'
import type { Database, SessionOfCaller } from '@playtherapy/schema'
import { createShares, ErrorBody, errors, failures, SessionParams, whenOver } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { answerTo } from './conditions.ts'
import { findPlayable, type Playable } from './repository.ts'
import { createTurns } from './turns.ts'

/** Recordings that one process sends at once; each takes up to half a MiB while its reader is slow. */
const mostPlaybacks = 1_024
/** One therapist's share is 1/16 of `mostPlaybacks`: 64. The store reads ahead for each of them, paused or not. */
const playbackParts = 16
/** Reads of the store that run at once for all playbacks. A store serves more than that only more slowly. */
const mostReads = 32

const schema = {
  tags: ['video'],
  security: [{ token: [] }],
  params: SessionParams,
  description:
    'H.264/AAC in MP4. Takes Range, If-Range, If-None-Match and If-Modified-Since. The header Link names the captions, where there is a script.',
}
const bytes = { 'video/mp4': { schema: { type: 'string', format: 'binary' } } }
const response = {
  200: { description: 'The whole recording', content: bytes },
  206: { description: 'The range asked for', content: bytes },
  304: { description: 'The copy at hand is still right', type: 'null' },
  416: ErrorBody,
  ...failures,
}

export interface PlaybackOptions {
  db: Database
  store: ObjectStore
  /** An nginx before us that reads what is played from the object store itself, below this internal location. */
  gateway?: { prefix: string; findPlace: FindPlace }
}

/** How an encoded recording is played. */
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
      const gone = new AbortController()
      // Where the gateway sends the bytes, it bounds how many recordings one therapist has open.
      const release = gateway ? undefined : playbacks.take(request.userId)
      whenOver(request, reply, () => {
        release?.()
        gone.abort()
      })
      const rendition = await find(request)
      const answer = answerTo(request.headers, rendition)
      if (answer.status === 304) return describe(reply, rendition).code(304).send()
      if (answer.status === 416) {
        reply.header('content-range', `bytes */${rendition.size}`)
        throw errors.rangeNotSatisfiable(rendition.size)
      }
      const { status, start, end } = answer
      const key = inFolder('video', rendition.path)
      if (gateway) {
        const place = await gateway.findPlace(key, rendition.etag)
        // The place's own answer carries status, length and range; its version is that of our ETag.
        reply.header('x-accel-redirect', gateway.prefix + place.slice(1))
        if (status === 206) reply.header('x-playback-range', `bytes=${start}-${end}`)
        reply.header('x-playback-therapist', request.userId)
        return describe(reply, rendition).type('video/mp4').send()
      }
      const turn = () => turns.take(request.userId)
      const options = { start, end, ifMatch: rendition.etag, turn, signal: gone.signal }
      const stream = await store.get(key, options).catch((error: unknown) => {
        if (!gone.signal.aborted) request.log.error({ err: error }, 'a rendition could not be read')
        throw errors.downloadFailed(rendition.path.split('/').at(-1) ?? '')
      })
      if (status === 206) reply.header('content-range', `bytes ${start}-${end}/${rendition.size}`)
      return describe(reply, rendition)
        .code(status)
        .type('video/mp4')
        .header('content-length', end - start + 1)
        .send(stream)
    },
  )

  // A HEAD says what a GET without a range would carry, and opens no object.
  app.head(
    '/video',
    { schema: { ...schema, summary: 'Size and ETag of the encoded recording', response } },
    async (request, reply) => {
      const rendition = await find(request)
      describe(reply, rendition)
      const { status } = answerTo({ ...request.headers, range: undefined }, rendition)
      if (status === 304) return reply.code(304).send()
      return reply.type('video/mp4').header('content-length', rendition.size).send()
    },
  )
}

/** The captions track of a recording: its newest script, by the script service, relative to the recording's own URL. */
const captions = '<script.vtt>; rel="related"; type="text/vtt"; title="captions"'

/** Headers of every answer about a rendition. A child's recording is kept in no cache, the browser's own included. */
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
