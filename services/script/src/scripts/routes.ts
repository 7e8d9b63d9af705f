import multipart from '@fastify/multipart'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { scriptStanding } from '@playtherapy/intake'
import { ErrorBody, errors, fault, listFirstFaultOnly, parseJson } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { anyContent, preferredFormat, sendScript } from '../export/send.ts'
import { fromCaptions } from '../import/captions.ts'
import { Patch, patchedJson } from '../versions/patch.ts'
import { parsedSize } from './memory.ts'
import { mayFollow, naming } from './preconditions.ts'
import { receiveScript, scriptLimit } from './receive.ts'
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

const conditions =
  'With `If-Match` it is saved only while the version of that ETag is the newest; otherwise 412 with `current_version`.'

/** A form is described for readers of the API; its parser checks it while it comes. */
const multipartIsChecked = () => () => true

/** How a session's script is saved, changed and read. All below a session's path, behind its guard. */
export async function scriptRoutes(instance: FastifyInstance, options: ScriptOptions): Promise<void> {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  await app.register(multipart, {
    // A plain field comes as bytes too: what is stored is what was sent.
    isPartAFile: () => true,
    limits: { fileSize: scriptLimit, files: 2, fieldNameSize: 100, headerPairs: 64 },
  })
  listFirstFaultOnly(app)
  app.addContentTypeParser(
    'application/json-patch+json',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, bytes: Buffer) => parseJson(bytes, ['body']),
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
      const version = await options.withMemory(async (hold) => {
        // Asked while the body comes.
        const asked = scriptStanding(options.db, request)
        asked.catch(() => {})
        const bytes = await receiveScript(request, hold)
        const standing = await asked
        const place = ['body', 'script']
        return saveScript(options, request, { bytes, place, mayFollow: mayFollow(request.headers), standing })
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
      const version = await options.withMemory(async (hold) => {
        hold(script.size * parsedSize)
        const document = parseJson(await readScript(options, request, script), ['script'])
        if (typeof document !== 'object' || document === null) throw errors.unexpected()
        const bytes = Buffer.from(patchedJson(document, request.body, ['body']))
        const save = { bytes, place: ['body'], mayFollow: (current: number) => current === script.version }
        return saveScript(options, request, save)
      })
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
      const place = ['body', 'script']
      const version = await options.withMemory(async (hold) => {
        const captions = await receiveScript(request, hold)
        hold(captions.length * parsedSize)
        const scripts = fromCaptions(captions, place)
        if (scripts.length === 0) throw fault(place, 'has no cues')
        const bytes = Buffer.from(JSON.stringify({ scripts }))
        return saveScript(options, request, { bytes, place, mayFollow: mayFollow(request.headers) })
      })
      return naming(reply, version).send({ version })
    },
  )
}
