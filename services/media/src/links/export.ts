import { inFolder } from '@playtherapy/object-store'
import { type CaseOfCaller, caseExports, cases, type Database, ownCase, statement } from '@playtherapy/schema'
import { errors, LinkParams, linkFailures, requireLink } from '@playtherapy/service-kit'
import { sql } from 'drizzle-orm'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Playable, PlaybackHeaders, playbackErrors, playbackResponses, type Sender } from '../playback/send.ts'

interface Row extends Record<string, unknown> {
  path: string
  size: number
  etag: string
  finished_ms: number
}

/** Returns a function that finds the finished file of an export of the caller's case, by a prepared statement. */
function findExport(db: Database) {
  const { placeholder } = sql
  const caller = { userId: placeholder('userId'), caseId: placeholder('caseId') }
  const find = statement<Row>(
    db,
    sql`select ${caseExports.path}, ${caseExports.size}::float8, ${caseExports.etag},
        extract(epoch from ${caseExports.finishedAt})::float8 * 1000 as finished_ms
      from ${caseExports} join ${cases} on ${cases.id} = ${caseExports.caseId}
      where ${ownCase(caller)} and ${caseExports.id} = ${placeholder('exportId')}
        and ${caseExports.stateId} = 3 and ${caseExports.expiresAt} > now()`,
  )
  return async ({ userId, caseId }: CaseOfCaller, exportId: number): Promise<Playable | undefined> => {
    const [row] = await find({ userId, caseId, exportId })
    if (!row) return undefined
    const { path, size, etag, finished_ms } = row
    return {
      key: inFolder('export', path),
      name: 'export.zip',
      type: 'application/zip',
      size,
      etag,
      createdAt: new Date(finished_ms),
      // Its number is no name of a person.
      headers: { 'content-disposition': `attachment; filename="case-${caseId}-export-${exportId}.zip"` },
    }
  }
}

/** The routes that download the export of a case for a signed link. */
export async function exportLinkRoutes(
  app: FastifyInstance,
  { db, sender }: { db: Database; sender: Sender },
): Promise<void> {
  app.addHook('onRequest', requireLink('export'))
  const found = findExport(db)
  const find = (request: FastifyRequest) => async () => {
    const file = await found(request, request.videoId)
    if (!file) throw errors.linkNotFound()
    return file
  }
  const schema = {
    tags: ['export'],
    params: LinkParams,
    headers: PlaybackHeaders,
    description: 'A download that broke off goes on with `Range` and `If-Range`.',
    response: { ...playbackResponses('application/zip'), ...linkFailures(...playbackErrors) },
  }
  const config = { audit: { action: 'export' as const } }
  app.get(
    '/export.zip',
    {
      exposeHeadRoute: false,
      config,
      schema: { ...schema, operationId: 'exports.download', summary: 'Download the export of a link' },
    },
    (request, reply) => sender.get(request, reply, find(request)),
  )
  app.head(
    '/export.zip',
    { config, schema: { ...schema, operationId: 'exports.head', summary: 'Size and ETag of the export of a link' } },
    (request, reply) => sender.head(request, reply, find(request)),
  )
}
