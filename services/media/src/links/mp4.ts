import type { Database } from '@playtherapy/schema'
import { errors, LinkParams, linkFailures, requireLink, savedAs } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { findRendition } from '../playback/repository.ts'
import { PlaybackHeaders, playbackErrors, playbackResponses, type Sender } from '../playback/send.ts'

const schema = {
  tags: ['playback'],
  params: LinkParams,
  headers: PlaybackHeaders,
  querystring: Type.Object({
    download: Type.Optional(
      Type.String({ description: 'With this a browser saves the file, named after the session' }),
    ),
  }),
  description: 'The same bytes, headers and conditions as at the path `/video` of the session.',
  response: { ...playbackResponses('video/mp4'), ...linkFailures(...playbackErrors) },
}

/** The routes that play an encoded recording for a signed link. */
export async function mp4Routes(app: FastifyInstance, { db, sender }: { db: Database; sender: Sender }): Promise<void> {
  app.addHook('onRequest', requireLink('mp4'))
  const rendition = findRendition(db)
  const find = (request: FastifyRequest) => async () => {
    const found = await rendition(request, request.videoId)
    if (!found) throw errors.linkNotFound()
    // A page of another origin cannot ask for it by the attribute `download`.
    const isSaved = Object.hasOwn(Object(request.query), 'download')
    return { ...found, name: 'video.mp4', ...(isSaved && { headers: savedAs(found.sessionName, '.mp4') }) }
  }

  app.get(
    '/video.mp4',
    {
      exposeHeadRoute: false,
      schema: { ...schema, operationId: 'playback.getMp4', summary: 'Play the recording of a link' },
    },
    (request, reply) => sender.get(request, reply, find(request)),
  )
  app.head(
    '/video.mp4',
    { schema: { ...schema, operationId: 'playback.headMp4', summary: 'Size and ETag of the recording of a link' } },
    (request, reply) => sender.head(request, reply, find(request)),
  )
}
