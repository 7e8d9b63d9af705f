import multipart from '@fastify/multipart'
import {
  ApiError,
  boundParser,
  boundRate,
  errors,
  fault,
  leastBytesPerSecond,
  type Rate,
} from '@playtherapy/service-kit'
import { scriptBytes } from '@playtherapy/versions/records'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Room for the multipart frame around the largest script, in bytes. */
const frameBytes = 64 * 1024
/** Least rate of a body over ten seconds, because a slower one would hold memory for long. */
const leastRate = { windowMs: 10_000, leastBytes: 10 * leastBytesPerSecond }

/** Lets the routes of this scope receive a script as a multipart form. */
export async function acceptForms(scope: FastifyInstance): Promise<void> {
  await scope.register(multipart, {
    // A plain field is received as bytes too, so that exactly what was sent is stored.
    isPartAFile: () => true,
    limits: { fileSize: scriptBytes, files: 2, fieldNameSize: 100, headerPairs: 64 },
  })
}

/** The validator of a form. The parser checks the form, and its schema only describes it. */
export const formIsParsed = () => () => true

/** Where the script of a form is, for the faults that are reported. */
export const place = ['body', 'script']

/** Most bytes of the script in a request, by its headers. Throws `errors.invalidInput` and `errors.tooLarge`. */
export function announcedBytes(request: FastifyRequest): number {
  if (!request.isMultipart()) throw fault(['header', 'content-type'], 'must be multipart/form-data')
  const { 'content-length': length = scriptBytes } = request.headers
  if (Number(length) > scriptBytes + frameBytes) throw errors.tooLarge(scriptBytes)
  return Math.min(Number(length), scriptBytes)
}

/**
 * Receives the one part `script` of a multipart body, a file or a plain field, into memory that is allocated once. Throws
 * `errors.invalidInput` when the body is incomplete or has not exactly this part, `errors.tooLarge`, and what `boundRate`
 * throws when it is too slow.
 */
export async function receiveScript(request: FastifyRequest, rate: Rate = leastRate): Promise<Uint8Array> {
  // The system provides this memory page by page, while it is filled.
  const bytes = Buffer.allocUnsafeSlow(announcedBytes(request))
  return new Promise((resolve, reject) => {
    boundRate(request.raw, rate, reject)
    boundParser(request.raw, rate.windowMs, gather(request, bytes)).then(resolve, reject)
    // The parser counts only bytes of parts. This listener is added last, because the first one starts the body.
    let left = scriptBytes + frameBytes
    request.raw.on('data', ({ length }: Buffer) => {
      left -= length
      if (left < 0) reject(errors.tooLarge(scriptBytes))
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
      if (part.file.truncated) throw errors.tooLarge(scriptBytes)
    }
    if (size === undefined) throw fault(['body', 'script'], 'is missing', 'required')
    if (size === 0) throw fault(['body', 'script'], 'is empty')
    return bytes.subarray(0, size)
  } catch (error) {
    // Any other error is the parser's: the body has no boundary, header or end.
    throw error instanceof ApiError ? error : fault(['body'], 'is not whole multipart/form-data')
  }
}
