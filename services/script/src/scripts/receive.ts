import multipart from '@fastify/multipart'
import { ApiError, boundRate, errors, fault, type Rate } from '@playtherapy/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { scriptLimit } from './validate.ts'

/** Room for the multipart frame around the largest script, in bytes. */
const frameRoom = 64 * 1024
/** Least speed of a script, since a slower one holds memory for nothing: 16 KiB/s over ten seconds. */
const leastRate = { windowMs: 10_000, leastBytes: 160 * 1024 }

/** Lets the routes of this scope receive a script as a multipart form. */
export async function acceptForms(scope: FastifyInstance): Promise<void> {
  await scope.register(multipart, {
    // A plain field comes as bytes too: what is stored is what was sent.
    isPartAFile: () => true,
    limits: { fileSize: scriptLimit, files: 2, fieldNameSize: 100, headerPairs: 64 },
  })
}

/** The validator of such a form: its schema is for readers of the API, and the parser checks it while it comes. */
export const formIsParsed = () => () => true

/** Where the script of a form is, for faults. */
export const place = ['body', 'script']

/** Most bytes that the script in this request's body can have, by its headers. Throws 422 and 413. */
export function announcedBytes(request: FastifyRequest): number {
  if (!request.isMultipart()) throw fault(['header', 'content-type'], 'must be multipart/form-data')
  const { 'content-length': length = scriptLimit } = request.headers
  if (Number(length) > scriptLimit + frameRoom) throw errors.tooLarge(scriptLimit)
  return Math.min(Number(length), scriptLimit)
}

/**
 * Gathers the one part `script` of a multipart body, file or plain field, whatever its file name, in memory that is
 * taken once. Throws 422 (no multipart, no part, a second, another or an empty one, a body that breaks off), 413, and
 * 408 when it comes too slowly.
 */
export async function receiveScript(request: FastifyRequest, rate: Rate = leastRate): Promise<Uint8Array> {
  // The system provides this memory page by page, as it is filled.
  const bytes = Buffer.allocUnsafeSlow(announcedBytes(request))
  return new Promise((resolve, reject) => {
    boundRate(request.raw, rate, reject)
    gather(request, bytes).then(resolve, reject)
    // The first listener makes the body flow, so this one comes last. The parser does not count bytes beside its parts.
    let left = scriptLimit + frameRoom
    request.raw.on('data', ({ length }: Buffer) => {
      left -= length
      if (left < 0) reject(errors.tooLarge(scriptLimit))
    })
  })
}

/** Fills `bytes` with the script and returns as much of it as was sent. */
async function gather(request: FastifyRequest, bytes: Buffer): Promise<Uint8Array> {
  try {
    let size: number | undefined
    for await (const part of request.files()) {
      if (part.fieldname !== 'script') throw fault(['body'], 'has a part other than `script`')
      if (size !== undefined) throw fault(['body', 'script'], 'must be one part')
      size = 0
      for await (const chunk of part.file) {
        bytes.set(chunk, size)
        size += chunk.length
      }
      if (part.file.truncated) throw errors.tooLarge(scriptLimit)
    }
    if (size === undefined) throw fault(['body', 'script'], 'is missing', 'required')
    if (size === 0) throw fault(['body', 'script'], 'is empty')
    return bytes.subarray(0, size)
  } catch (error) {
    // All other errors here are the parser's, about a body without boundary, header or end.
    throw error instanceof ApiError ? error : fault(['body'], 'is not whole multipart/form-data')
  }
}
