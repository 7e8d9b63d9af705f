import { ErrorBody, SessionParams } from '@playtherapy/service-kit'
import { Type } from 'typebox'

/** What all routes of a session's script say of themselves. */
export const route = { tags: ['script'], security: [{ token: [] }], params: SessionParams }
export const failures = { 400: ErrorBody, 401: ErrorBody, 422: ErrorBody, 429: ErrorBody, 503: ErrorBody }
/** Failures of what makes a new version. */
export const saveFailures = { ...failures, 412: ErrorBody, 413: ErrorBody }

const time = Type.Optional(
  Type.Unknown({ description: 'HH:MM:SS, with a fraction if need be, or empty; anything else is kept as sent' }),
)

/** Headers of a request that makes a new version. */
export const Conditions = Type.Object({
  'if-match': Type.Optional(
    Type.String({ description: 'ETag of the version that must be the newest', examples: ['"3"'] }),
  ),
})

/** Headers of a request that reads a version. */
export const KnownVersion = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({ description: 'ETags of what the reader has already', examples: ['"3"', '"3-vtt"'] }),
  ),
})

/** Headers of an answer about a version. */
const headers = {
  etag: Type.String({ description: 'The version, in this format; the one of the JSON is for `If-Match`' }),
  'script-version': Type.Integer({ description: 'Its number' }),
}

/** Answers to a request that reads a version, with this content. */
export const readAnswers = (description: string, content: object) => ({
  200: { description, headers, content },
  304: { description: 'The copy at hand is still right', type: 'null', headers },
  ...failures,
})

export const example = {
  scripts: [
    { start_time: '00:00:01', end_time: '00:00:04', speaker: 'T', text: '오늘은 무엇을 하고 싶니?' },
    { start_time: '00:00:05', end_time: '00:00:06', speaker: 'C', text: '인형이요.' },
  ],
}

/** What was said, in order. `validate.ts` is what checks it; this describes it. */
export const Script = Type.Object(
  {
    scripts: Type.Array(
      Type.Object(
        {
          start_time: time,
          end_time: time,
          speaker: Type.String({ description: 'Its first letter counts: T therapist, C child' }),
          text: Type.String(),
        },
        { additionalProperties: true },
      ),
    ),
  },
  {
    additionalProperties: true,
    examples: [example],
  },
)

export const Saved = Type.Object({ msg: Type.String() }, { headers, examples: [{ msg: 'script upload success!' }] })

const form = (description: string) =>
  Type.Object({ script: Type.String({ format: 'binary', description }) }, { examples: [{ script: '(the file)' }] })

export const ScriptForm = form('One JSON document, UTF-8')
export const CaptionsForm = form('One WebVTT or SubRip file, UTF-8')

export const SavedVersion = Type.Object(
  { version: Type.Integer({ description: 'The version that holds it; an older one when nothing changed' }) },
  { headers, examples: [{ version: 4 }] },
)
