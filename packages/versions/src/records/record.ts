import { type Static, Type } from 'typebox'

const time = Type.Optional(
  Type.Unknown({ description: 'HH:MM:SS, with a fraction if need be, or empty; anything else is kept as sent' }),
)

export const example = {
  scripts: [
    { start_time: '00:00:01', end_time: '00:00:04', speaker: 'T', text: '오늘은 무엇을 하고 싶니?' },
    { start_time: '00:00:05', end_time: '00:00:06', speaker: 'C', text: '인형이요.' },
  ],
}

/** What was said, in order. It only describes a script; `validateScript` checks it. */
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
        { title: 'ScriptRecord', additionalProperties: true },
      ),
    ),
  },
  { title: 'Script', additionalProperties: true, examples: [example] },
)

/** Largest script. */
export const scriptBytes = 20 * 1024 ** 2
/** Bounds on parsing: five values for each record, and 100,000 for other keys. */
export const scriptBounds = { values: 600_000, keySequences: 50_000 }
/** Most records of a script: about thirty hours of talk. */
export const mostRecords = 100_000

/** One record of a script; its times are as they were sent. */
export type ScriptRecord = Static<typeof Script>['scripts'][number]
