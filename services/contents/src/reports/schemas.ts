import { int32, numberText, SessionParams } from '@playtherapy/service-kit'
import { Type } from 'typebox'

export const Accepted = Type.Object(
  { msg: Type.String() },
  { title: 'Accepted', examples: [{ msg: 'analyze report upload success!' }] },
)

const version = (description: string) => numberText('^[1-9][0-9]{0,8}$', description, int32)

export const DeliveryQuery = Type.Object({
  script_version: Type.Optional(
    version('Version of the script that the report was scored from; the newest one by default'),
  ),
})

export const ReportVersionParams = Type.Object({
  ...SessionParams.properties,
  version: version('A version of the report'),
})

export const VersionsQuery = Type.Object({
  before: Type.Optional(version('Only versions before this one, for the next page')),
})

export const ReportVersions = Type.Array(
  Type.Object(
    {
      version: Type.Integer(),
      created_at: Type.String({ format: 'date-time' }),
      size: Type.Integer({ description: 'Bytes' }),
      script_version: Type.Union([Type.Integer(), Type.Null()], {
        description: 'Version of the script that the report was scored from; null when that is not known',
      }),
      stale: Type.Union([Type.Boolean(), Type.Null()], {
        description: 'Whether there is a newer script; null when that is not known',
      }),
    },
    { title: 'ReportVersion' },
  ),
  {
    description: 'Newest first, at most 1,000; pass the last version as `before` for the next page',
    examples: [
      [
        { version: 2, created_at: '2026-03-09T05:12:31.020Z', size: 48_211, script_version: 3, stale: false },
        { version: 1, created_at: '2026-03-02T04:40:02.511Z', size: 47_906, script_version: 1, stale: true },
      ],
    ],
  },
)
