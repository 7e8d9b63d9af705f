import { int32, numberText } from '@playtherapy/service-kit'
import { Type } from 'typebox'

const orNull = <T extends ReturnType<typeof Type.Integer> | ReturnType<typeof Type.String>>(schema: T) =>
  Type.Union([schema, Type.Null()])

const AuditEvent = Type.Object(
  {
    id: Type.Integer({ format: 'int64' }),
    at: Type.String({ format: 'date-time' }),
    actor: Type.String({ description: '`therapist`, `analysis`, `operator`, `worker`, `service` or `command`' }),
    user_id: orNull(Type.Integer({ ...int32, description: 'The therapist, or the operator if the token names one' })),
    action: Type.String({
      description:
        '`create`, `read`, `update`, `delete`, `export`, `link` (an address that needs no token) or `refused`',
    }),
    kind: Type.String({
      description:
        'What was seen or changed: `case`, `session`, `video`, `preview`, `upload`, `script`, `report`, `audit` or `export`',
    }),
    session_id: orNull(Type.Integer(int32)),
    version: orNull(
      Type.Integer({
        ...int32,
        description: 'Of a script or report; of a recording its `video_id`, of an export its id',
      }),
    ),
    result: Type.Integer({ description: '0, or the `error_code` of the response' }),
    request_id: orNull(Type.String()),
    address: orNull(Type.String({ description: 'IP address of the client, as the gateway reports it' })),
  },
  { title: 'AuditEvent' },
)

export const AuditEvents = Type.Array(AuditEvent, {
  examples: [
    [
      {
        id: 4711,
        at: '2026-11-27T08:31:07.120Z',
        actor: 'therapist',
        user_id: 3,
        action: 'read',
        kind: 'video',
        session_id: 31,
        version: 77,
        result: 0,
        request_id: 'b7f3…',
        address: '192.0.2.7',
      },
    ],
  ],
})

export const AuditQuery = Type.Object({
  before: Type.Optional(numberText('^[0-9]{1,15}$', 'The `id` of the last event of the page before')),
})
