import type { FastifyInstance } from 'fastify'
import { checksumAlgorithms, tusExtensions, tusPath, tusVersion } from './headers.ts'
import * as schemas from './schemas.ts'

/** The route by which clients find out what this server knows of the protocol. Browsers ask it without a token. */
export async function discoveryRoutes(app: FastifyInstance, { uploadLimit }: { uploadLimit: number }): Promise<void> {
  for (const url of [tusPath, `${tusPath}/`, `${tusPath}/:upload_id`]) {
    app.options(
      url,
      {
        // CORS has added its headers, and lets this route respond.
        config: { cors: { preflightContinue: true } },
        schema: {
          hide: url !== tusPath,
          tags: ['video'],
          params: url.endsWith('id') ? schemas.UploadParams : schemas.SessionParams,
          operationId: 'uploads.discover',
          summary: 'Ask what the server knows of resumable uploads',
          response: { 204: schemas.Discovered, ...schemas.discoveryFailures() },
        },
      },
      async (_request, reply) =>
        reply
          .headers({
            'tus-version': tusVersion,
            'tus-extension': tusExtensions,
            'tus-max-size': uploadLimit,
            'tus-checksum-algorithm': checksumAlgorithms.join(','),
          })
          .code(204)
          .send(),
    )
  }
}
