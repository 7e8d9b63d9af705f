import { int32, numberText, VideoState, videoStateExample } from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'
import { Session, sessionExample } from '../sessions/schemas.ts'

const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null()], { description })

/** The data of the event `session`. */
export const SessionNews = Type.Object(
  {
    case_id: Type.Integer(int32),
    session_id: Type.Integer(int32),
    deleted: Type.Boolean({
      description: 'The session is gone, or not this therapist’s any more; all below is null then',
    }),
    session: orNull(Session, 'As GET of the session answers it'),
    video: orNull(VideoState, 'As GET …/video/state answers it; null without a recording'),
    script: orNull(
      Type.Object({
        version: Type.Integer(),
        user_id: Type.Integer({ ...int32, description: 'The therapist who saved it, or whose session it is' }),
        made_by: Type.Union([Type.Literal('therapist'), Type.Literal('transcriber'), Type.Literal('starter')]),
        created_at: Type.String({ format: 'date-time' }),
      }),
      'The newest script; null without one',
    ),
    report: orNull(
      Type.Object({ version: Type.Integer(), created_at: Type.String({ format: 'date-time' }) }),
      'The newest analysis report; null without one',
    ),
  },
  {
    title: 'SessionNews',
    examples: [
      {
        case_id: 12,
        session_id: 31,
        deleted: false,
        session: sessionExample,
        video: videoStateExample,
        script: { version: 2, user_id: 7, made_by: 'therapist', created_at: '2026-03-09T05:12:31.020Z' },
        report: null,
      },
    ],
  },
)

export type SessionNews = Static<typeof SessionNews>

export const EventsQuery = Type.Object({
  case_id: Type.Optional(numberText('^(0|-?[1-9][0-9]{0,9})$', 'Tells of this case of the caller alone', int32)),
  last_event_id: Type.Optional(
    Type.String({ description: 'As the header `Last-Event-ID`, for a new EventSource, which can send none' }),
  ),
})

export const EventsHeader = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ description: 'The id of the last event that arrived; what has changed since is sent first' }),
  ),
})

export const Ticket = Type.Object(
  {
    url: Type.String({ description: 'A path on this origin; `case_id` and `last_event_id` may be added' }),
    expires_at: Type.String({ format: 'date-time', description: 'A stream has to be opened before' }),
  },
  {
    title: 'EventTicket',
    examples: [
      {
        url: '/contents/api/events/and6ZXZlbnRzOjc6MTc5NTcxOTYwMDoxNzk1NzE5NjYw.Zk7l…',
        expires_at: '2026-11-26T18:00:00.000Z',
      },
    ],
  },
)
