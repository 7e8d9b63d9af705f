import multipart from '@fastify/multipart'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { ErrorBody, errors, listFirstFaultOnly, parseJson } from '@playtherapy/service-kit'
import { scriptStanding } from '@playtherapy/versions'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { anyContent, preferredFormat, sendScript } from '../export/send.ts'
import { Patch } from '../versions/patch.ts'
import { mayFollow, naming } from './preconditions.ts'
import { announcedBytes, receiveScript } from './receive.ts'
import {
  CaptionsForm,
  Conditions,
  KnownVersion,
  readAnswers,
  route,
  Saved,
  SavedVersion,
  ScriptForm,
  saveFailures,
} from './schemas.ts'
import { findScript, readScript, type ScriptOptions, saveScript } from './service.ts'
import { scriptLimit } from './validate.ts'

const conditions =
  'With `If-Match` it is saved only while the version of that ETag is the newest; otherwise 412 with `current_version`.'

/** Where the script of a form is, for faults. */
const place = ['body', 'script']

/** A form is described for readers of the API; its parser checks it while it comes. */
const multipartIsChecked = () => () => true

/** How a session's script is saved, changed and read. All below a session's path, behind its guard. */
export async function scriptRoutes(instance: FastifyInstance, options: ScriptOptions): Promise<void> {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const { withMemory, work } = options
  await app.register(multipart, {
    // A plain field comes as bytes too: what is stored is what was sent.
    isPartAFile: () => true,
    limits: { fileSize: scriptLimit, files: 2, fieldNameSize: 100, headerPairs: 64 },
  })
  listFirstFaultOnly(app)
  app.addContentTypeParser(
    'application/json-patch+json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) => {
      request.rawBody = bytes
      return parseJson(bytes, ['body'])
    },
  )

  app.post(
    '/script',
    {
      schema: {
        ...route,
        summary: 'Save a script as a new version',
        description: `Multipart, one JSON document of at most 20 MiB in the part \`script\`. 200 means that it is durable and current. Odd times are kept as sent. The bytes of the newest version, saved again, make no version. ${conditions}`,
        consumes: ['multipart/form-data'],
        headers: Conditions,
        body: ScriptForm,
        response: { 200: Saved, ...saveFailures },
      },
      validatorCompiler: multipartIsChecked,
    },
    async (request, reply) => {
      const version = await withMemory(request, reply, announcedBytes(request), async () => {
        // Asked while the body comes.
        const asked = scriptStanding(options.db, request)
        asked.catch(() => {})
        const bytes = await receiveScript(request)
        const standing = await asked
        const check = (videoLength: string | null) => work.check(request.userId, { bytes, place, videoLength })
        return saveScript(options, request, { check, mayFollow: mayFollow(request.headers), standing })
      })
      return naming(reply, version).send({ msg: 'script upload success!' })
    },
  )

  app.get(
    '/script',
    {
      schema: {
        ...route,
        summary: 'Read the newest script',
        description:
          'As it was sent, or as `Accept` asks: WebVTT, SubRip, text, CSV or XLSX. Its ETag is for `If-Match` and `If-None-Match`.',
        headers: KnownVersion,
        response: readAnswers('The script', anyContent),
      },
    },
    async (request, reply) => {
      const format = preferredFormat(request, reply)
      return sendScript(options, request, reply, { script: await findScript(options, request, 'current'), format })
    },
  )

  app.patch(
    '/script',
    {
      schema: {
        ...route,
        summary: 'Change a part of the newest script',
        description:
          'A JSON Patch (RFC 6902) of at most 1,000 operations, all of them or none. The result is a new version. `If-Match` must name the version it was made for: otherwise 428, and 412 with `current_version` when that is not the newest.',
        consumes: ['application/json-patch+json', 'application/json'],
        headers: Conditions,
        body: Patch,
        response: { 200: SavedVersion, ...saveFailures, 428: ErrorBody },
      },
    },
    async (request, reply) => {
      if (request.headers['if-match'] === undefined) throw errors.unconditional()
      const script = await findScript(options, request, 'current')
      if (!mayFollow(request.headers)(script.version)) throw errors.staleScript(script.version)
      const patch = request.rawBody ?? Buffer.alloc(0)
      // What is copied may make any small script one of the largest.
      const grows = request.body.some(({ op }) => op === 'copy')
      const version = await withMemory(request, reply, grows ? scriptLimit : script.size + patch.length, () =>
        saveScript(options, request, {
          async check(videoLength) {
            const stored = await readScript(options, request, script)
            return work.patch(request.userId, { script: stored, patch, place: ['body'], videoLength })
          },
          mayFollow: (current) => current === script.version,
        }),
      )
      return naming(reply, version).send({ version })
    },
  )

  app.post(
    '/script/import',
    {
      schema: {
        ...route,
        summary: 'Save captions as a new version of the script',
        description: `Multipart, one WebVTT or SubRip file (UTF-8) of at most 20 MiB in the part \`script\`; which one is seen by its content. Voice tags, or \`T: \` before a text, name the speaker. ${conditions}`,
        consumes: ['multipart/form-data'],
        headers: Conditions,
        body: CaptionsForm,
        response: { 200: SavedVersion, ...saveFailures },
      },
      validatorCompiler: multipartIsChecked,
    },
    async (request, reply) => {
      // A short cue is three times as long as a record.
      const largest = Math.min(3 * announcedBytes(request), scriptLimit)
      const version = await withMemory(request, reply, largest, async () => {
        const bytes = await receiveScript(request)
        const check = (videoLength: string | null) => work.importCaptions(request.userId, { bytes, place, videoLength })
        return saveScript(options, request, { check, mayFollow: mayFollow(request.headers) })
      })
      return naming(reply, version).send({ version })
    },
  )
}
