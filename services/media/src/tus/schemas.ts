import { bodyErrors, refusals, SessionParams, sessionFailures } from '@playtherapy/service-kit'

import { Type } from 'typebox'
import { tusType, tusVersion } from './headers.ts'

export { SessionParams }

export const UploadParams = Type.Object({
  ...SessionParams.properties,
  upload_id: Type.String({ description: 'The last part of the `Location` of an upload' }),
})

const text = (description: string) => Type.Optional(Type.String({ description }))
const version = Type.String({ description: `The version of the protocol, ${tusVersion}` })

/** Headers are described here, and read in headers.ts, whose refusals have the statuses of the protocol. */
export const ResumableHeaders = Type.Object({ 'tus-resumable': version })
const body = {
  'content-type': text(`\`${tusType}\``),
  'upload-checksum': text('Algorithm and checksum of the body in base64, such as `sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=`'),
}
export const CreationHeaders = Type.Object({
  'tus-resumable': version,
  'upload-length': text('Bytes of the recording'),
  'upload-defer-length': text('`1` instead, if the client will tell them later'),
  'upload-metadata': text('Pairs of a key and a value in base64; `filename` is the name of the file'),
  ...body,
})
export const PatchHeaders = Type.Object({
  'tus-resumable': version,
  'upload-offset': Type.String({ description: 'Where these bytes begin: the offset that HEAD has answered' }),
  'upload-length': text('Bytes of the recording, if they were not told before'),
  ...body,
})

export const Bytes = Type.String({ format: 'binary', description: 'Bytes of the recording', examples: ['(bytes)'] })

/** The first bytes, with the request that begins an upload. */
export const FirstBytes = { ...Bytes, isOptional: true }

const header = (description: string) => ({ type: 'string', description })
const bytes = (description: string) => ({ type: 'integer', description })
const offset = { 'Upload-Offset': bytes('Bytes that are durable') }
const expires = { 'Upload-Expires': header('When the upload is removed unless it is complete') }

/** The responses have no body: what they say is in their headers. */
const answer = (description: string, headers: object) => Type.Unsafe<void>({ type: 'null', description, headers })
export const Created = answer('The upload has begun', {
  Location: header('The path of the upload'),
  ...offset,
  ...expires,
})
export const Known = answer('How far the upload has come', {
  ...offset,
  'Upload-Length': bytes('Bytes of the recording'),
  'Upload-Defer-Length': header('`1` as long as they are not known'),
  'Upload-Metadata': header('As it was sent'),
  ...expires,
})
export const Stored = answer(
  'The bytes are durable; if they were the last, the recording is, and its encode is announced',
  {
    ...offset,
    ...expires,
  },
)
export const Removed = answer('The upload and its bytes are removed', {})
export const Discovered = answer('What the server knows of the protocol', {
  'Tus-Version': header(tusVersion),
  'Tus-Extension': header('The extensions'),
  'Tus-Max-Size': bytes('The most bytes of a recording'),
  'Tus-Checksum-Algorithm': header('The algorithms of `Upload-Checksum`'),
})

/** The refusals of an upload, and of one that gets bytes. */
export const uploadFailures = () =>
  sessionFailures('badHeader', 'uploadNotFound', 'uploadExpired', 'otherTusVersion', 'uploadHeld')
const ofBytes = [...bodyErrors, 'otherContentType', 'encodedBody', 'otherChecksum', 'uploadFailed'] as const
export const creationFailures = () => sessionFailures('badHeader', 'otherTusVersion', 'tooManyUploads', ...ofBytes)
export const bytesFailures = () =>
  sessionFailures(
    ...(['badHeader', 'uploadNotFound', 'uploadExpired', 'otherTusVersion', 'uploadHeld'] as const),
    ...(['otherOffset', 'beyondLength'] as const),
    ...ofBytes,
  )
export const discoveryFailures = () => refusals('unreadable')
