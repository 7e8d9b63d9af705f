import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { type Static, Type } from 'typebox'
import type { FileStore } from './file.ts'
import { idsOf } from './keys.ts'
import { ObjectExistsError } from './object-store.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route streams its body and bounds it by itself; read by the services' hosts. */
    streams?: boolean
  }
}

export interface FileRoutesOptions {
  store: FileStore
  /** Most bytes of one PUT; S3's own limit by default. */
  limit?: number
  /**
   * Called before a byte of the body is read: admits an upload into this session, bounds its rate, and returns a function
   * that ends it. Its error is the response. By default every upload is admitted.
   */
  admit?: (request: IncomingMessage, sessionId: number) => () => void
  /** Whether an upload under this key may still be announced: one that was deleted has left no trace in the folder. */
  isAwaited?: (key: string) => Promise<boolean>
}

const text = Type.Optional(Type.String())
const Query = Type.Object({ type: text, expires: text, signature: text })

const refusal = (message: string) => ({ message, error_code: 0 })
const gibibyte = 1024 ** 3

/**
 * The PUT of a presigned URL of the file store: `PUT /objects/<key>?type&expires&signature`. It is public, because the URL
 * is the permission: like S3, it returns 403 unless path, content type and time are the signed ones, and also once the
 * upload was announced or deleted. It returns exactly 200 when the body is durable. Only the start of the transfer must be in time.
 */
export const fileRoutes =
  ({
    store,
    limit = 5 * gibibyte,
    admit = () => () => {},
    isAwaited = async () => true,
  }: FileRoutesOptions): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers()
    // The handler reads the request itself.
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    app.setErrorHandler((error, _request, reply) => {
      if (error instanceof ObjectExistsError) {
        return reply.code(403).send(refusal('the upload of this URL has ended; another upload needs a new URL'))
      }
      if (!(error instanceof TooLarge)) throw error
      return reply.code(413).send({ message: error.message, error_code: 9 })
    })
    app.put<{ Params: { '*': string }; Querystring: Static<typeof Query> }>(
      '/objects/*',
      {
        bodyLimit: limit,
        config: { streams: true },
        // Its URL is an answer of the media service, and not for clients to compose.
        schema: { hide: true, querystring: Query },
        // Before the framework looks at the content type, which may be anything.
        onRequest: async ({ params, query, headers }, reply) => {
          const { type = '', expires, signature = '' } = query
          if (!store.verifyPut(params['*'], `${type}`, Number(expires), `${signature}`)) {
            return reply.code(403).send(refusal('the URL is not valid, or no longer'))
          }
          if (headers['content-type'] !== type) {
            return reply.code(403).send(refusal(`the URL is for an upload with the header Content-Type: ${type}`))
          }
        },
      },
      async (request, reply) => {
        const key = request.params['*']
        if (store.hasEnded(key) || !(await isAwaited(key))) throw new ObjectExistsError(key)
        if (Number(request.headers['content-length']) > limit) throw new TooLarge(limit)

        // The key names the session, for which the upload is admitted.
        const release = admit(request.raw, idsOf(key.slice(key.indexOf('/') + 1))?.sessionId ?? 0)
        const disconnected = new AbortController()
        request.raw.once('close', () => request.raw.complete || disconnected.abort())
        let size = 0
        async function* counted() {
          for await (const chunk of request.raw) {
            size += chunk.length
            if (size > limit) throw new TooLarge(limit)
            yield chunk
          }
        }
        const options = { contentType: request.query.type ?? '', signal: disconnected.signal }
        const { etag } = await store.putUpload(key, counted(), options).finally(release)
        return reply.code(200).header('etag', etag).send()
      },
    )
  }

class TooLarge extends Error {
  constructor(limit: number) {
    super(`The file is larger than ${limit} bytes`)
  }
}
