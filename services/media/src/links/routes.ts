import type { Database } from '@playtherapy/schema'
import { int32, requireTherapist, SessionParams, sessionFailures } from '@playtherapy/service-kit'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { guardParts, type Parts } from './repository.ts'

const path = (description: string) => Type.Union([Type.String(), Type.Null()], { description })
const example = '/contents/api/playback/and6NzoxMjozNDptcDQ6MTc5NTcxOTYwMA.Zk7l…'

const Playback = Type.Object(
  {
    mp4: path('The recording as MP4, once it is encoded; with `?download` a browser saves it'),
    hls: path('The playlist for HLS, as soon as the first seconds are encoded'),
    poster: path('A picture of the recording, JPEG'),
    storyboard: path('WebVTT that names a small picture for each moment'),
    captions: path('The newest script as captions, WebVTT'),
    video_id: Type.Union([Type.Integer(int32), Type.Null()], {
      description: 'Which recording the links are for: another number says that another one is shown',
    }),
    expires_at: Type.String({ format: 'date-time', description: 'When these links end' }),
  },
  {
    title: 'PlaybackLinks',
    examples: [
      {
        mp4: `${example}/video.mp4`,
        hls: `${example}/master.m3u8`,
        poster: `${example}/poster.jpg`,
        storyboard: `${example}/storyboard.vtt`,
        captions: `${example}/captions.vtt`,
        video_id: 77,
        expires_at: '2026-11-26T18:00:00.000Z',
      },
    ],
  },
)

declare module 'fastify' {
  interface FastifyRequest {
    /** What of the session can be played, once the guard of `POST …/playback` has found it. */
    playable: Parts | null
  }
}

/** The route that gives a therapist signed links, which play a session's recording without a header. */
export async function linkRoutes(app: FastifyInstance, { db }: { db: Database }): Promise<void> {
  const guard = guardParts(db)
  app.decorateRequest('playable', null)
  app.addHook('onRequest', requireTherapist)
  app.addHook('onRequest', async (request) => {
    request.playable = (await guard(request)) ?? null
  })

  app.post(
    '/playback',
    {
      config: { audit: { action: 'link' } },
      schema: {
        tags: ['video'],
        security: [{ token: [] }],
        params: SessionParams,
        operationId: 'playback.createLinks',
        summary: 'Get links that play the recording',
        description:
          'Paths on this origin for `<video>`, `<track>`, players of HLS and downloads, which send no token: whoever has a link can open it. All are for the newest recording that can be played, and open no other. What is not there is null. A link ends at `expires_at`, and at once when what it opens is deleted.',
        response: { 200: Playback, ...sessionFailures() },
      },
    },
    async (request) => {
      const { shown, has_script } = request.playable ?? {}
      const { userId, caseId, sessionId } = request
      request.videoId = shown?.id ?? 0
      const { expiresAt, pathOf } = app.links.begin({ userId, caseId, sessionId, videoId: shown?.id ?? 0 })
      return {
        mp4: shown?.has_mp4 ? pathOf('mp4', 'video.mp4') : null,
        hls: shown?.has_hls ? pathOf('hls', 'master.m3u8') : null,
        poster: shown?.has_previews ? pathOf('poster', 'poster.jpg') : null,
        storyboard: shown?.has_previews ? pathOf('storyboard', 'storyboard.vtt') : null,
        captions: has_script ? pathOf('captions', 'captions.vtt') : null,
        video_id: shown?.id ?? null,
        expires_at: expiresAt.toISOString(),
      }
    },
  )
}
