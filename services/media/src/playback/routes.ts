import type { Database } from '@playtherapy/schema'
import { errors, SessionParams, sessionFailures } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findRendition } from './repository.ts'
import { PlaybackHeaders, playbackErrors, playbackResponses, type Sender } from './send.ts'

const schema = {
  tags: ['video'],
  security: [{ token: [] }],
  params: SessionParams,
  headers: PlaybackHeaders,
  description:
    'H.264/AAC in MP4. Supports Range, If-Range, If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since. The header Link names the captions if there is a script.',
}
const response = { ...playbackResponses('video/mp4'), ...sessionFailures('noVideo', ...playbackErrors) }

/** The captions of a recording: its newest script, served by the script service. Relative to the recording's URL. */
const captions = { link: '<script.vtt>; rel="related"; type="text/vtt"; title="captions"' }

/** The routes that play an encoded recording for the token of its therapist. */
export async function playbackRoutes(
  app: FastifyInstance,
  { db, sender }: { db: Database; sender: Sender },
): Promise<void> {
  const rendition = findRendition(db)
  const find = (request: FastifyRequest) => async () => {
    const found = await rendition(request)
    if (!found) throw errors.noVideo(request.sessionId)
    request.videoId = found.videoId
    return { ...found, headers: found.hasScript ? captions : {} }
  }

  app.get(
    '/video',
    {
      exposeHeadRoute: false,
      schema: { ...schema, operationId: 'videos.get', summary: 'Play the encoded recording', response },
    },
    (request, reply) => sender.get(request, reply, find(request)),
  )
  app.head(
    '/video',
    {
      config: { swagger: { exposeHeadRoute: true } },
      schema: { ...schema, operationId: 'videos.head', summary: 'Size and ETag of the encoded recording', response },
    },
    (request, reply) => sender.head(request, reply, find(request)),
  )
}
