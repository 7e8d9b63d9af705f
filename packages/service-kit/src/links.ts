import type { SessionOfCaller } from '@playtherapy/schema'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { AuthSettings } from './auth-settings.ts'
import { errors } from './errors.ts'
import { createSigner } from './signer.ts'

/** What a link opens: one file, or for `hls` all playlists, media and captions of one recording; or the export of a case. */
export type LinkPurpose = 'mp4' | 'hls' | 'poster' | 'storyboard' | 'captions' | 'export'

declare module 'fastify' {
  interface FastifyInstance {
    links: Links
  }
  interface FastifyRequest {
    /** The recording of the signed link of the request; 0 if it has none. */
    videoId: number
  }
}

/**
 * What links are for: a recording of a session, by the id of its video; 0 for captions, which belong to the session. An export has its
 * own id in place of that of a video, and 0 for the session.
 */
export interface LinkTarget extends SessionOfCaller {
  videoId: number
}

/** Signed links: paths without a header, which open one thing of one recording for one therapist until they expire. */
export interface Links {
  /**
   * Makes the tokens of a response, which all end at the same moment. `expiresAt` is that moment, and `pathOf` returns
   * the path of a file for a purpose, such as `/contents/api/playback/<token>/video.mp4`.
   */
  begin(target: LinkTarget): { expiresAt: Date; pathOf(purpose: LinkPurpose, file: string): string }
  /** Returns what a token opens for one of these purposes; undefined for any other token, and after its end. */
  read(token: string, purposes: readonly LinkPurpose[]): LinkTarget | undefined
}

/** Where the routes of signed links begin. */
export const playbackPrefix = '/contents/api/playback/:token'

/** Path parameters of these routes, for the OpenAPI document. */
export const LinkParams = Type.Object({ token: Type.String({ description: 'The signed part of the link' }) })

/** Six hours: a session is watched and scored in one sitting, with pauses. */
export const defaultLinkSeconds = 21_600

/** What is signed of a link: therapist, case, session, video, purpose, and the second in which it ends. */
const linkPattern = /^(\d+):(\d+):(\d+):(\d+):([a-z0-9]+):(\d+)$/

/** Links by the keys of these settings. Without any key there are none: `begin` throws then, and `read` finds nothing. */
export function createLinks(auth: AuthSettings): Links {
  const signer = createSigner(auth)
  const { linkSeconds = defaultLinkSeconds } = auth
  return {
    begin({ userId, caseId, sessionId, videoId }) {
      const sign = signer.begin()
      const end = Math.floor(Date.now() / 1000) + linkSeconds
      return {
        expiresAt: new Date(end * 1000),
        pathOf(purpose, file) {
          const token = sign(userId, caseId, sessionId, videoId, purpose, end)
          return `${playbackPrefix.replace(':token', token)}/${file}`
        },
      }
    },
    read(token, purposes) {
      const parts = linkPattern.exec(signer.read(token) ?? '')
      if (!parts) return undefined
      const [, userId, caseId, sessionId, videoId, purpose, end] = parts
      if (!purposes.some((name) => name === purpose) || Number(end) * 1000 <= Date.now()) return undefined
      return {
        userId: Number(userId),
        caseId: Number(caseId),
        sessionId: Number(sessionId),
        videoId: Number(videoId),
      }
    },
  }
}

/** Gives the host its links. */
export function installLinks(host: FastifyInstance, auth: AuthSettings): void {
  host.decorate('links', createLinks(auth))
  host.decorateRequest('videoId', 0)
}

/**
 * Returns the onRequest hook of routes below `playbackPrefix`, in place of `requireTherapist` and `guardAccess`: the token
 * of the path must be for one of these purposes, and a header Authorization is not read. Sets therapist, case, session
 * and recording of the request and admits it. Throws `errors.linkNotFound` (404), `errors.tooManyRequests` (429) and
 * `errors.unavailable` (503). Whether session and recording are still there and still this therapist's is for the
 * statement to ask that finds what is served: it has `ownSession` and the recording, and the route throws `errors.linkNotFound` where it finds nothing.
 */
export const requireLink =
  (...purposes: LinkPurpose[]) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { token } = Object(request.params)
    const target = typeof token === 'string' ? request.server.links.read(token, purposes) : undefined
    if (!target) throw errors.linkNotFound()
    Object.assign(request, target)
    // The link is what protects these bytes: pages of any origin that hold one may show them.
    reply.headers({ 'cross-origin-resource-policy': 'cross-origin' })
    request.server.admit(request, reply)
  }
