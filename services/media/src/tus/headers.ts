import { type Checksum, cleaned } from '@playtherapy/intake'
import { errors } from '@playtherapy/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** The version of the protocol: https://tus.io/protocols/resumable-upload. */
export const tusVersion = '1.0.0'
/** The content type of a body whose bytes belong to an upload. */
export const tusType = 'application/offset+octet-stream'
/** The path of the routes, below that of a session. */
export const tusPath = '/video/tus'
export const checksumAlgorithms = ['sha1', 'sha256', 'md5'] as const
export const tusExtensions =
  'creation,creation-with-upload,creation-defer-length,expiration,checksum,termination' as const

/** The onRequest hook that names the version in every response, refusals included. */
export async function nameTusVersion({ method }: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (method !== 'OPTIONS') reply.header('tus-resumable', tusVersion)
}

const isHead = ({ method, headers }: FastifyRequest) =>
  method === 'HEAD' || (method === 'POST' && headers['x-http-method-override'] === 'HEAD')

/**
 * The onSend hook that answers 423 to a `HEAD` that cannot be answered now: tus-js-client 4 takes every other refusal of it for
 * the end of the upload and begins again at zero (tus/tus-js-client #895, #579).
 */
export async function holdUpload(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (isHead(request) && (reply.statusCode >= 500 || reply.statusCode === 429)) reply.code(423)
}

/** The onRequest hook that refuses clients of another version; throws `errors.otherTusVersion` (412). */
export async function requireTusVersion({ headers }: FastifyRequest): Promise<void> {
  if (headers['tus-resumable'] !== tusVersion) throw errors.otherTusVersion(tusVersion)
}

/** The text of a header, or undefined. A header that must not come twice is joined by Node with a comma. */
export function textOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A header that is a number of bytes; undefined if it is missing. Throws `errors.badHeader` (400). */
export function bytesIn(request: FastifyRequest, name: string): number | undefined {
  const text = textOf(request, name)
  if (text === undefined) return undefined
  const value = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw errors.badHeader(name, 'must be a number of bytes')
  return value
}

/**
 * Makes sure that the body is bytes of a recording as they are. Throws `errors.otherContentType` and `errors.encodedBody` (415):
 * bytes that were compressed on their way are at other offsets than those that the client counts.
 */
export function requireBytes({ headers }: FastifyRequest): void {
  if (headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== tusType) throw errors.otherContentType(tusType)
  const encoding = headers['content-encoding']?.trim().toLowerCase()
  if (encoding && encoding !== 'identity') throw errors.encodedBody()
}

/** Bytes of the body; undefined if only its end will tell. */
export function bodyBytesOf({ headers }: FastifyRequest): number | undefined {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined
}

/** Bytes of the recording, or undefined if the client tells them later. Throws `errors.badHeader` (400). */
export function newLengthOf(request: FastifyRequest): number | undefined {
  const length = bytesIn(request, 'upload-length')
  const deferred = textOf(request, 'upload-defer-length')
  if (deferred !== undefined && deferred !== '1') throw errors.badHeader('upload-defer-length', 'must be 1')
  if ((length === undefined) === (deferred === undefined)) {
    throw errors.badHeader('upload-length', 'or upload-defer-length must be there, and not both')
  }
  return length
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const metadataKey = /^[!-+\--~]+$/

/** The name of the file in `Upload-Metadata`, by its usual keys. Throws `errors.badHeader` (400). */
export function fileNameIn(request: FastifyRequest): string {
  const values = new Map<string, string>()
  for (const pair of textOf(request, 'upload-metadata')?.split(',') ?? []) {
    const [key = '', value = '', ...more] = pair.trim().split(' ')
    if (!metadataKey.test(key) || !base64.test(value) || more.length > 0 || values.has(key)) {
      throw errors.badHeader('upload-metadata', 'must be pairs of a key and a value in base64, separated by commas')
    }
    values.set(key, Buffer.from(value, 'base64').toString('utf8'))
  }
  return cleaned(values.get('filename') ?? values.get('name'))
}

/** The checksum of the body; undefined if the client sends none. Throws `errors.badHeader` (400). */
export function checksumIn(request: FastifyRequest): Checksum | undefined {
  const text = textOf(request, 'upload-checksum')
  if (text === undefined) return undefined
  const [name, digest = '', ...more] = text.split(' ')
  const algorithm = checksumAlgorithms.find((known) => known === name)
  if (!algorithm) throw errors.badHeader('upload-checksum', `must be by one of ${checksumAlgorithms.join(', ')}`)
  if (digest === '' || !base64.test(digest) || more.length > 0) {
    throw errors.badHeader('upload-checksum', 'must be an algorithm and a checksum in base64')
  }
  return { algorithm, digest: Buffer.from(digest, 'base64') }
}
