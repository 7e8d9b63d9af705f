import { buildConsole, consoleHeaders } from '@playtherapy/console'
import type { FastifyPluginAsync } from 'fastify'

/** The console at `/`, for a person who opens the link that `npm start` prints. */
export const consolePage: FastifyPluginAsync = async (app) => {
  for (const [name, bytes] of await buildConsole({ signInByLink: true })) {
    const path = name === 'index.html' ? '/' : `/${name}`
    app.get(path, { schema: { hide: true } }, (_request, reply) =>
      reply.headers(consoleHeaders(name)).send(Buffer.from(bytes)),
    )
  }
}
