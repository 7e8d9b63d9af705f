import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Database, type Rung, rung as rungName } from '@playtherapy/schema'
import { errors, isKnown, LinkParams, linkFailures, requireLink } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { PlaybackHeaders, playbackErrors, playbackResponses, type Sender } from '../playback/send.ts'
import { captionsPlaylist, mainPlaylist, type Progress, type RungSoFar, rungPlaylist } from './playlists.ts'
import { type Extent, findOutline, findPieces, type Outline, readRung } from './repository.ts'

/** Characters of playlists that a process keeps. That of twelve hours has a million. */
const keptCharacters = 16 * 1024 ** 2
const playlistType = 'application/vnd.apple.mpegurl'

const base = { tags: ['playback'], params: LinkParams }
const example = '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:5\n…\n#EXTINF:4.000000,\n…'
const playlist = {
  response: {
    200: {
      description: 'A playlist',
      content: { [playlistType]: { schema: { type: 'string', examples: [example] } } },
    },
    304: { description: 'The client’s copy is still current', type: 'null' },
    ...linkFailures(),
  },
}
const fileOf = (rung: Rung) => {
  const type = rung === 'sound' ? 'audio/mp4' : 'video/mp4'
  return {
    type,
    schema: {
      ...base,
      headers: PlaybackHeaders,
      response: { ...playbackResponses(type), ...linkFailures(...playbackErrors) },
    },
  }
}

/**
 * The bytes that a simple Range asks for, as a hint for the statement: all, where the conditions of the request may lead to
 * the whole file.
 */
function wantedBytes({ range = '', 'if-range': condition }: FastifyRequest['headers']) {
  const all = { from: 0, to: Number.MAX_SAFE_INTEGER }
  const [, from, to] = /^bytes=(\d{1,15})-(\d{0,15})$/i.exec(range) ?? []
  if (from === undefined || condition !== undefined) return all
  const asked = { from: Number(from), to: to ? Number(to) : all.to }
  return asked.from <= asked.to ? asked : all
}

/** Names what there is of a rung: a playlist is the same as long as this is. */
function markOf(extent: Extent | undefined): string {
  if (!extent) return 'none'
  return extent.isComplete ? 'all' : `${extent.chunks}`
}

/** Where a rung ends that is still to go on, in seconds. */
const openEnd = (extent: Extent | undefined) => (extent && !extent.isComplete ? extent.until : Number.POSITIVE_INFINITY)

/** The routes that play a recording by HLS for a signed link, from its first encoded seconds on. */
export async function hlsRoutes(app: FastifyInstance, { db, sender }: { db: Database; sender: Sender }): Promise<void> {
  app.addHook('onRequest', requireLink('hls'))
  const findOne = findOutline(db)
  const findFile = findPieces(db)
  const find = async (request: FastifyRequest) => {
    const outline = await findOne(request)
    const upper = outline?.extents.get('upper')
    if (!outline || !upper) throw errors.linkNotFound()
    const sound = outline.extents.get('sound')
    // All lists end together, because a player that has one whole and loads another one anew would stand still.
    const isWhole = upper.isComplete && (sound?.isComplete ?? true)
    const progressOf = (isComplete: boolean): Progress => {
      if (outline.state === 'encoded' && isComplete) return 'final'
      return isComplete || ['failed', 'superseded'].includes(outline.state) ? 'ended' : 'growing'
    }
    return { ...outline, upper, sound, isWhole, progressOf }
  }
  let turn = Promise.resolve()
  const read = async ({ videoId, extents }: Outline, rung: Rung): Promise<RungSoFar | undefined> => {
    const extent = extents.get(rung)
    const found = extent && (await readRung(db, videoId, rung, extent.chunks))
    // What is made of a rung of twelve hours takes milliseconds. Many at once take turns, and other requests come between.
    turn = turn.then(() => nextTurn())
    await turn
    return found && { ...found, isComplete: extent.isComplete }
  }

  const built = new LRUCache<string, string, () => Promise<string>>({
    maxSize: keptCharacters,
    sizeCalculation: ({ length }) => length,
    fetchMethod: (_key, _stale, { context }) => context(),
    ignoreFetchAbort: true,
  })
  /** Sends a playlist, which is built once for each encode and `key`: these name everything it is made of. */
  const send = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { videoId, plannedMs }: Outline,
    key: string[],
    build: () => Promise<string>,
  ): Promise<FastifyReply> => {
    const name = [videoId, plannedMs, ...key].join('-')
    const etag = `"${name}"`
    if (isKnown(request.headers, { etag })) return reply.code(304).header('etag', etag).send()
    const text = await built.fetch(name, { context: build })
    return reply.header('etag', etag).type(playlistType).send(text)
  }

  app.get(
    '/master.m3u8',
    { schema: { ...base, ...playlist, operationId: 'playback.getMaster', summary: 'The main playlist of HLS' } },
    async (request, reply) => {
      const outline = await find(request)
      const { targetSeconds, hasScript: hasCaptions, extents, upper } = outline
      // A player that went over to a rung which ends earlier would stand still there.
      const isLowerListed = extents.get('lower')?.isComplete || !upper.isComplete
      const marks = rungName.enumValues.map((rung) => markOf(extents.get(rung)))
      return send(request, reply, outline, ['main', ...marks, hasCaptions ? 'captions' : 'alone'], async () => {
        const [upper, lower, sound] = await Promise.all([
          read(outline, 'upper'),
          isLowerListed ? read(outline, 'lower') : undefined,
          read(outline, 'sound'),
        ])
        if (!upper) throw errors.linkNotFound()
        return mainPlaylist({ targetSeconds, hasCaptions, upper, lower, sound })
      })
    },
  )

  app.get(
    '/captions.m3u8',
    {
      schema: {
        ...base,
        ...playlist,
        operationId: 'playback.captionsPlaylist',
        summary: 'The playlist of the captions',
      },
    },
    async (request, reply) => {
      const outline = await find(request)
      const { hasScript, upper, sound, isWhole } = outline
      if (!hasScript) throw errors.linkNotFound()
      const progress = outline.progressOf(isWhole)
      const isCut = progress === 'ended' && !isWhole
      const seconds = isCut ? Math.min(outline.seconds, openEnd(upper), openEnd(sound)) : outline.seconds
      return send(request, reply, outline, ['captions', `${seconds}`, progress], async () =>
        captionsPlaylist({ seconds, progress }),
      )
    },
  )

  for (const rung of rungName.enumValues) {
    app.get(
      `/${rung}.m3u8`,
      {
        schema: {
          ...base,
          ...playlist,
          operationId: `playback.${rung}Playlist`,
          summary: `The playlist of the rung ${rung}`,
        },
      },
      async (request, reply) => {
        const outline = await find(request)
        const { targetSeconds, extents, upper, sound, isWhole, progressOf } = outline
        const own = extents.get(rung)
        if (!own) throw errors.linkNotFound()
        // Picture and sound are listed as far as both are there (RFC 8216, section 6.2.4).
        const until = openEnd(rung === 'sound' ? upper : sound)
        const progress = progressOf(isWhole && own.isComplete)
        return send(request, reply, outline, [rung, markOf(own), `${until}`, progress], async () => {
          const made = await read(outline, rung)
          if (!made) throw errors.linkNotFound()
          return rungPlaylist({ rung, targetSeconds, parts: made.parts, progress, until })
        })
      },
    )

    const { type, schema } = fileOf(rung)
    const file = (request: FastifyRequest) => async () => {
      const found = await findFile(request, { rung, ...wantedBytes(request.headers) })
      if (!found) throw errors.linkNotFound()
      const { plannedMs, size, pieces } = found
      // One encode of it only grows, so its size says which bytes it has, also when one object takes the place of several.
      return { key: pieces, name: `${rung}.mp4`, type, size, etag: `"${request.videoId}-${plannedMs}-${rung}-${size}"` }
    }
    app.get(
      `/${rung}.mp4`,
      {
        exposeHeadRoute: false,
        schema: { ...schema, operationId: `playback.${rung}Media`, summary: `The segments of the rung ${rung}` },
      },
      (request, reply) => sender.get(request, reply, file(request)),
    )
    app.head(
      `/${rung}.mp4`,
      { schema: { ...schema, summary: `Size and ETag of the rung ${rung} so far` } },
      (request, reply) => sender.head(request, reply, file(request)),
    )
  }
}
