import { int32, numberText } from '@playtherapy/service-kit'
import { Type } from 'typebox'

const whole = (description: string) => Type.Optional(numberText('^[+-]?[0-9]{1,9}$', description))

export const SearchQuery = Type.Object({
  keyword: Type.String({
    maxLength: 100,
    pattern: '^[^\\u0000]*[^\\u0000\\s][^\\u0000]*$',
    description:
      'Words or a part of one, in any case and however it was typed, spaces included; `%`, `_` and `\\` are letters. The first 262,144 characters of a record are searched',
    examples: ['무서'],
  }),
  skip: whole('Hits to leave out, 0 by default'),
  limit: whole('Hits wanted, 50 by default, at most 200'),
})

const time = Type.Union([Type.String(), Type.Null()], { description: 'As it was sent' })
const offset = Type.Integer({ minimum: 0, description: 'In UTF-16 units, as browsers count' })

const Hit = Type.Object(
  {
    session_id: Type.Integer(int32),
    session_name: Type.String(),
    version: Type.Integer({ description: 'Of the script: the newest one' }),
    record: Type.Integer({ minimum: 0, description: 'Its index in `scripts`' }),
    start_time: time,
    end_time: time,
    speaker: Type.String(),
    snippet: Type.String({ description: 'The text around the first place of the keyword' }),
    matches: Type.Array(Type.Object({ start: offset, end: offset }), { description: 'Its places in the snippet' }),
  },
  { title: 'SearchHit' },
)

export const SearchResult = Type.Object(
  {
    hits: Type.Array(Hit, { description: 'Newest session first, records in their order' }),
    more: Type.Boolean({ description: 'Whether there are hits after these' }),
    unread: Type.Array(Type.Integer(int32), {
      description:
        'Sessions whose newest script could not be read, or not in time: missing, or there with an older one',
    }),
  },
  {
    title: 'SearchResult',
    examples: [
      {
        hits: [
          {
            session_id: 9,
            session_name: '두 번째',
            version: 3,
            record: 41,
            start_time: '00:03:05',
            end_time: '00:03:07',
            speaker: 'C',
            snippet: '괴물이 너무 무서워요.',
            matches: [{ start: 7, end: 9 }],
          },
        ],
        more: false,
        unread: [],
      },
    ],
  },
)
