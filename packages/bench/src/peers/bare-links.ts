/** A minimal service that answers with signed links: a bare Fastify that checks the token and signs, and asks nobody. */
import { createHmac } from 'node:crypto'
import jwt from '@fastify/jwt'
import Fastify from 'fastify'

const { PORT, JWT_SECRET = '' } = process.env
const linkSeconds = 21_600
const app = Fastify()
await app.register(jwt, { secret: JWT_SECRET })
app.get('/ready', async () => 'ready')

const userOf = (claims: unknown) =>
  typeof claims === 'object' && claims && 'user_id' in claims ? Number(claims.user_id) : 0

await app.register(async (sessions) => {
  sessions.addHook('onRequest', (request) => request.jwtVerify())
  sessions.post<{ Params: { caseId: string; sessionId: string } }>(
    '/contents/api/case/:caseId/session/:sessionId/playback',
    async ({ user, params: { caseId, sessionId } }) => {
      const end = Math.floor(Date.now() / 1000) + linkSeconds
      const pathOf = (purpose: string, file: string) => {
        const text = ['key', userOf(user), caseId, sessionId, 1, purpose, end].join(':')
        const payload = Buffer.from(text).toString('base64url')
        const signature = createHmac('sha256', JWT_SECRET).update(payload).digest('base64url')
        return `/contents/api/playback/${payload}.${signature}/${file}`
      }
      return {
        mp4: pathOf('mp4', 'video.mp4'),
        hls: null,
        poster: null,
        storyboard: null,
        captions: null,
        expires_at: new Date(end * 1000).toISOString(),
      }
    },
  )
})
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
process.once('SIGTERM', () => app.close())
