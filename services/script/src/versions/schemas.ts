import { int32 } from '@playtherapy/service-kit'
import { Type } from 'typebox'
import { versionIn } from '../scripts/schemas.ts'

export const ChangesQuery = Type.Object({
  from: versionIn('The version before'),
  to: Type.Optional(versionIn('The version after; the newest one by default')),
})

export const VersionsQuery = Type.Object({
  before: Type.Optional(versionIn('Only versions before this one: how to page')),
})

export const ScriptVersions = Type.Array(
  Type.Object(
    {
      version: Type.Integer(),
      user_id: Type.Integer({ ...int32, description: 'The therapist who saved it, or whose session it is' }),
      made_by: Type.Union([Type.Literal('therapist'), Type.Literal('transcriber'), Type.Literal('starter')], {
        description: 'starter: the empty first version that a worker makes where `STARTER_SCRIPT` is set',
      }),
      created_at: Type.String({ format: 'date-time' }),
      size: Type.Integer({ description: 'Bytes' }),
      checksum: Type.Union([Type.String(), Type.Null()], {
        description: 'SHA-256 of the bytes, in hex; null for versions of before it was kept',
      }),
      warnings: Type.Array(
        Type.Object({
          record: Type.Integer({ description: 'Its index in `scripts`' }),
          field: Type.Union([Type.Literal('start_time'), Type.Literal('end_time')]),
          kind: Type.Union([Type.Literal('odd'), Type.Literal('order'), Type.Literal('beyond')], {
            description:
              'odd: no time · order: before the record above, or ends before it starts · beyond: after the end of the video',
          }),
        }),
        { description: 'Doubtful times, the first hundred; they are kept as sent' },
      ),
    },
    { title: 'ScriptVersion' },
  ),
  {
    description: 'Newest first, at most 1,000; `before` the last of them come the next',
    examples: [
      [
        {
          version: 2,
          user_id: 7,
          made_by: 'therapist',
          created_at: '2026-03-09T05:12:31.020Z',
          size: 48_211,
          checksum: '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae',
          warnings: [{ record: 41, field: 'end_time', kind: 'order' }],
        },
      ],
    ],
  },
)
