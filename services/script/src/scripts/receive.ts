import { ApiError, boundRate, errors, fault, type Rate } from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'

/** Most bytes of a script. */
export const scriptLimit = 20 * 1024 ** 2
/** Room for the multipart frame around the largest script, in bytes. */
const frameRoom = 64 * 1024
/** Least speed of a script: who sends it slower holds memory for nothing. 16 KiB/s over ten seconds. */
const leastRate = { windowMs: 10_000, leastBytes: 160 * 1024 }

/**
 * Gathers the one part `script` of a multipart body, file or plain field, whatever its file name. `hold` is told of
 * each chunk before it is kept, and may throw. Throws 422 (no multipart, no part, a second, another or an empty one,
 * a body that breaks off), 413, and 408 when it comes too slowly.
 */
export async function receiveScript(
  request: FastifyRequest,
  hold: (bytes: number) => void,
  rate: Rate = leastRate,
): Promise<Buffer> {
  if (!request.isMultipart()) throw fault(['header', 'content-type'], 'must be multipart/form-data')
  if (Number(request.headers['content-length']) > scriptLimit + frameRoom) throw errors.tooLarge(scriptLimit)
  return new Promise((resolve, reject) => {
    boundRate(request.raw, rate, reject)
    gather(request, hold).then(resolve, reject)
    // Only now: whoever listens first makes the body flow. The parser does not count what is beside its parts.
    let left = scriptLimit + frameRoom
    request.raw.on('data', ({ length }: Buffer) => {
      left -= length
      if (left < 0) reject(errors.tooLarge(scriptLimit))
    })
  })
}

async function gather(request: FastifyRequest, hold: (bytes: number) => void): Promise<Buffer> {
  try {
    let bytes: Buffer | undefined
    for await (const part of request.files()) {
      if (part.fieldname !== 'script') throw fault(['body'], 'has a part other than `script`')
      if (bytes) throw fault(['body', 'script'], 'must be one part')
      const chunks: Buffer[] = []
      for await (const chunk of part.file) {
        hold(chunk.length)
        chunks.push(chunk)
      }
      if (part.file.truncated) throw errors.tooLarge(scriptLimit)
      bytes = Buffer.concat(chunks)
    }
    if (!bytes) throw fault(['body', 'script'], 'is missing', 'required')
    if (bytes.length === 0) throw fault(['body', 'script'], 'is empty')
    return bytes
  } catch (error) {
    // Whatever else is thrown here is the parser's, about a body without boundary, header or end.
    throw error instanceof ApiError ? error : fault(['body'], 'is not whole multipart/form-data')
  }
}
