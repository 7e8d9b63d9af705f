import { nameCharacters } from '@playtherapy/schema'
import { int32 } from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'

const textOrNull = (description: string) => Type.Union([Type.String({ description }), Type.Null()])
const state = (what: string) =>
  Type.Integer({
    ...int32,
    minimum: 1,
    maximum: 5,
    description: `${what}: 1 ready, 2 started, 3 done, 4 error, 5 none`,
  })

export const sessionExample = {
  id: 31,
  name: 'First meeting',
  session_state_id: 1,
  case_id: 12,
  source_video_url: null,
  source_script_url: 'RELEASE/12/31/script_v1.json',
  encoding_state_id: 3,
  script_state_id: 3,
  analyze_state_id: 5,
  created_date: '2026-03-02',
  video_length: '00:42:10',
  origin_video_url: 'RELEASE/12/31/77.mp4',
  encoding_video_url: 'RELEASE/12/31/encoded_77-1.mp4',
  analyze_url: null,
}

export const Session = Type.Object(
  {
    id: Type.Integer(int32),
    name: Type.String(),
    session_state_id: Type.Integer(int32),
    case_id: Type.Integer(int32),
    source_video_url: Type.Null({ description: 'Always null; the client expects the key' }),
    source_script_url: textOrNull('Key of the newest script'),
    encoding_state_id: state('Encoding'),
    script_state_id: state('Script'),
    analyze_state_id: state('Analysis'),
    created_date: Type.String({ description: 'YYYY-MM-DD' }),
    video_length: textOrNull('HH:MM:SS'),
    origin_video_url: textOrNull('Key of the newest recording'),
    encoding_video_url: textOrNull('Key of the video to play'),
    analyze_url: textOrNull('Key of the newest analysis report'),
  },
  {
    title: 'Session',
    examples: [sessionExample],
  },
)

export const Sessions = Type.Array(Session, { examples: [[sessionExample]] })

const name = Type.String({ maxLength: nameCharacters })
const videoLength = Type.Optional(
  Type.Union([Type.String({ pattern: '^[0-9]{2,3}:[0-5][0-9]:[0-5][0-9]$', description: 'HH:MM:SS' }), Type.Null()]),
)

/** The writable fields of a session; all others in the body are ignored (services/contract.md, "Sessions"). */
export const NewSessionBody = Type.Object(
  { data: Type.Object({ name, video_length: videoLength }) },
  { title: 'NewSession', examples: [{ data: { name: 'First meeting', video_length: null } }] },
)

export const SessionBody = Type.Object(
  {
    data: Type.Object({
      name,
      video_length: videoLength,
      origin_video_url: Type.Optional(
        Type.Union([
          Type.String({ maxLength: 1_024, description: 'A key from presigned-url whose PUT returned 200' }),
          Type.Null(),
        ]),
      ),
    }),
  },
  {
    title: 'SessionFields',
    examples: [{ data: { name: 'First meeting', video_length: '00:42:10', origin_video_url: 'RELEASE/12/31/77.mp4' } }],
  },
)

export type Session = Static<typeof Session>
export type SessionBody = Static<typeof SessionBody>
