import { heldBackBytes, isKnown, savedAs, sendJsonObject } from '@playtherapy/service-kit'
import { example, Script } from '@playtherapy/versions/records'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { etagOf } from '../scripts/preconditions.ts'
import type { StoredScript } from '../scripts/repository.ts'
import { type Run, readScript, type ScriptOptions } from '../scripts/service.ts'
import { captionBytes, exportFormats, type exportTo, fileFormats } from './formats.ts'

export type ExportOptions = ScriptOptions & { work: { exportTo: Run<typeof exportTo> } }

/** File suffix of a format; `json` is the script as it was sent. */
export type Format = 'json' | keyof typeof exportFormats

const isFormat = (name: unknown): name is Format => name === 'json' || Object.hasOwn(exportFormats, String(name))

/** `json` comes first, because a client without a preference gets the first. */
export const formats: Format[] = ['json', ...Object.keys(exportFormats).filter(isFormat)]

/** Content of a response in one of the formats, for the OpenAPI document. */
export const contentOf = (format: Format) => {
  if (format === 'json') return { 'application/json': { schema: Script } }
  const [type = ''] = exportFormats[format].type.split(';')
  const file = format === 'xlsx' ? '(a workbook)' : [...exportFormats[format].write(example.scripts)].join('')
  return { [type]: { schema: { type: 'string', format: 'binary', examples: [file] } } }
}

/** Content of a response whose format the client chooses. */
export const anyContent = Object.assign({}, ...formats.map(contentOf))

/** The format that the request's Accept prefers; `json` when it names no format of ours. */
export function preferredFormat(request: FastifyRequest, reply: FastifyReply): Format {
  const others = reply.getHeader('vary')
  reply.header('vary', others ? `${others}, Accept` : 'Accept')
  const preferred = request.accepts().type(formats)
  return isFormat(preferred) ? preferred : 'json'
}

/** With `asFile` the client downloads a file that is named after the session. */
type Sent = { script: StoredScript; format: 'json' | keyof typeof fileFormats; asFile?: boolean }

/** Sends a script in one of the formats, or 304 when the client has that version already. */
export async function sendScript(
  options: ExportOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  { script, format, asFile = false }: Sent,
): Promise<FastifyReply> {
  const etag = etagOf(script.version, format)
  const headers = { etag, 'script-version': script.version }
  if (isKnown(request.headers, { etag })) return reply.code(304).headers(headers).send()
  const disposition = asFile && savedAs(script.sessionName, ` v${script.version}.${format}`)
  if (format === 'json') {
    const held = Math.min(script.size, heldBackBytes)
    return options.withMemory(request, reply, held, () =>
      sendJsonObject(request, reply, options.store, 'script', script, { ...headers, ...disposition }),
    )
  }
  // Escaped characters make the file longer than the script, up to the limit of `exportTo`.
  const held = format === 'captions' ? captionBytes(script.size) : 2 * script.size
  return options.withMemory(request, reply, held, async () => {
    const stored = await readScript(options, request, script)
    const file = await options.work.exportTo(request.userId, { script: stored, format })
    return reply
      .headers({ ...headers, ...disposition })
      .type(fileFormats[format].type)
      .send(file)
  })
}
