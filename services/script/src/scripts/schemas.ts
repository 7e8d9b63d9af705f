import { bodyErrors, int32, numberText, SessionParams, sessionFailures } from '@playtherapy/service-kit'
import { Type } from 'typebox'

/** Common parts of the schemas of all routes of a script. */
export const route = { tags: ['script'], security: [{ token: [] }], params: SessionParams }
/** Failures of a save. */
export const saveFailures = (...more: Parameters<typeof sessionFailures>) =>
  sessionFailures(...bodyErrors, 'staleScript', 'uploadFailed', ...more)

export const versionIn = (description: string) => numberText('^[1-9][0-9]{0,8}$', description, int32)

export const VersionParams = Type.Object({ ...SessionParams.properties, version: versionIn('A version of the script') })

/** Headers of a save. */
export const Conditions = Type.Object({
  'if-match': Type.Optional(
    Type.String({ description: 'ETag of the version that must be the newest', examples: ['"3"'] }),
  ),
  'if-none-match': Type.Optional(
    Type.String({
      description: '`*`: only if there is no script yet, but for an empty one of a worker',
      examples: ['*'],
    }),
  ),
})

/** Describes `If-Match` for routes that save. */
export const conditions =
  'With `If-Match` it is saved only while the version of that ETag is the newest; otherwise 412 with `current_version`.'

/** Headers of a read. */
export const KnownVersion = Type.Object({
  'if-match': Type.Optional(
    Type.String({ description: 'ETag that what is read must have; otherwise 412', examples: ['"3"'] }),
  ),
  'if-none-match': Type.Optional(
    Type.String({ description: 'ETags of what the reader has already', examples: ['"3"', '"3-vtt"'] }),
  ),
})

/** Headers of a response about a version. */
const headers = {
  etag: Type.String({ description: 'The version, in this format; the one of the JSON is for `If-Match`' }),
  'script-version': Type.Integer({ description: 'Its number' }),
}

/** The same of a response that a browser saves as a file. */
const fileHeaders = {
  ...headers,
  'content-disposition': Type.String({
    description: 'Names the file after the session and the version (RFC 6266)',
    examples: ['attachment; filename="First meeting v3.vtt"'],
  }),
}

/** Responses to a read; `refusals` are those of the scope. */
export const readResponses = (
  description: string,
  content: object,
  refusals = sessionFailures('noScript', 'preconditionFailed', 'tooLarge', 'downloadFailed'),
) => ({
  200: { description, headers, content },
  304: { description: 'The copy at hand is still right', type: 'null', headers },
  ...refusals,
})

/** Responses to a read of a script as a file. */
export const fileResponses = (content: object) => ({
  ...readResponses('The file', content),
  200: { description: 'The file', headers: fileHeaders, content },
})

export const Saved = Type.Object(
  { msg: Type.String() },
  { title: 'ScriptSaved', headers, examples: [{ msg: 'script upload success!' }] },
)

/** A multipart form with one file in the part `script`. */
export const form = (title: string, description: string) =>
  Type.Object(
    { script: Type.String({ format: 'binary', description }) },
    { title, examples: [{ script: '(the file)' }] },
  )

export const SavedVersion = Type.Object(
  { version: Type.Integer({ description: 'The version that holds it; an older one when nothing changed' }) },
  { title: 'SavedVersion', headers, examples: [{ version: 4 }] },
)
