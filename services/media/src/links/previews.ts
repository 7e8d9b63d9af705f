import { inFolder } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { errors, isKnown, LinkParams, linkFailures, requireLink } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Playable, playbackErrors, playbackResponses, type Sender } from '../playback/send.ts'
import { findPreviews, type Previews } from './repository.ts'
import { toVtt } from './storyboard.ts'

interface Resources {
  db: Database
  sender: Sender
}

const schema = { tags: ['playback'], params: LinkParams }
/** A picture that a list shows is not yet a playback. */
const config = { audit: { kind: 'preview' } }
const example = toVtt({ columns: 2, rows: 1, width: 160, height: 90, seconds: 2, tiles: 2 })
const vtt = { 'text/vtt': { schema: { type: 'string', format: 'binary', examples: [example] } } }

/** The routes of the picture that a player shows before it plays. */
export async function posterRoutes(app: FastifyInstance, { db, sender }: Resources): Promise<void> {
  app.addHook('onRequest', requireLink('poster'))
  imageRoutes(app, '/poster.jpg', 'a picture of the recording', {
    operationId: 'playback.getPoster',
    sender,
    find: finder(db),
    of: ({ poster }) => poster,
  })
}

/** The routes of the small pictures that a player shows above its timeline. */
export async function storyboardRoutes(app: FastifyInstance, { db, sender }: Resources): Promise<void> {
  app.addHook('onRequest', requireLink('storyboard'))
  const find = finder(db)
  imageRoutes(app, '/storyboard.jpg', 'all small pictures in one', {
    operationId: 'playback.getStoryboardImage',
    sender,
    find,
    of: ({ sprite }) => sprite,
  })

  app.get(
    '/storyboard.vtt',
    {
      config,
      schema: {
        ...schema,
        operationId: 'playback.getStoryboard',
        summary: 'Where the small picture of each moment is',
        description: 'WebVTT whose cues are parts of an image, such as `storyboard.jpg#xywh=160,90,160,90`.',
        response: {
          200: { description: 'The cues', content: vtt },
          304: { description: 'The client’s copy is still current', type: 'null' },
          ...linkFailures('preconditionFailed'),
        },
      },
    },
    async (request, reply) => {
      const { sprite, storyboard } = await find(request)
      // The text belongs to its image, which never changes.
      const etag = `W/${sprite.etag}`
      reply.headers({ etag, 'cache-control': 'private, no-store' })
      if (isKnown(request.headers, { etag })) return reply.code(304).send()
      return reply.type('text/vtt; charset=utf-8').send(toVtt(storyboard))
    },
  )
}

/** Finds the previews that a request asks for; throws `errors.linkNotFound`. */
function finder(db: Database) {
  const previews = findPreviews(db)
  return async (request: FastifyRequest): Promise<Previews> => {
    const found = await previews(request)
    if (!found) throw errors.linkNotFound()
    return found
  }
}

interface Image {
  operationId: string
  sender: Sender
  find: (request: FastifyRequest) => Promise<Previews>
  of: (previews: Previews) => { path: string; size: number; etag: string }
}

function imageRoutes(app: FastifyInstance, file: string, what: string, { operationId, sender, find, of }: Image): void {
  const response = { ...playbackResponses('image/jpeg'), ...linkFailures(...playbackErrors) }
  const playable = (request: FastifyRequest) => async (): Promise<Playable> => {
    const previews = await find(request)
    const { path, size, etag } = of(previews)
    const { createdAt } = previews
    return { key: inFolder('video', path), name: file.slice(1), type: 'image/jpeg', size, etag, createdAt }
  }
  app.get(
    file,
    { exposeHeadRoute: false, config, schema: { ...schema, operationId, summary: `JPEG: ${what}`, response } },
    (request, reply) => sender.get(request, reply, playable(request)),
  )
  app.head(file, { config, schema: { ...schema, summary: `Size and ETag of ${what}`, response } }, (request, reply) =>
    sender.head(request, reply, playable(request)),
  )
}
