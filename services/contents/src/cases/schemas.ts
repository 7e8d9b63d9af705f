import { nameCharacters } from '@playtherapy/schema'
import { int32 } from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'

const nullable = <T extends ReturnType<typeof Type.String> | ReturnType<typeof Type.Integer>>(schema: T) =>
  Type.Union([schema, Type.Null()])

const name = Type.String({ maxLength: nameCharacters })

/** Everything about the child except the name: any object. Responses always contain these two keys. */
const Description = Type.Object(
  { age: Type.Unknown({ default: null }), gender: Type.Unknown({ default: '' }) },
  { additionalProperties: true },
)

const example = {
  id: 12,
  given_name: '지우',
  family_name: '김',
  description: { age: 7, gender: 'F' },
  user_id: 3,
  session_count: 4,
  start_date: '2026-03-02',
  updated_date: '2026-03-30',
  case_state_id: 2,
}

export const Case = Type.Object(
  {
    id: Type.Integer(int32),
    given_name: Type.String(),
    family_name: nullable(Type.String()),
    description: Description,
    user_id: Type.Integer(int32),
    session_count: Type.Integer(),
    start_date: Type.String({ description: 'YYYY-MM-DD' }),
    updated_date: Type.String({ description: 'YYYY-MM-DD' }),
    case_state_id: Type.Integer({ ...int32, minimum: 1, maximum: 3, description: '1 before, 2 running, 3 finished' }),
  },
  {
    title: 'Case',
    examples: [example],
  },
)

export const Cases = Type.Array(Case, { examples: [[example]] })

/** The writable fields of a case; all others in the body are ignored (services/contract.md, "Cases"). */
export const CaseBody = Type.Object(
  {
    given_name: name,
    family_name: Type.Optional(nullable(name)),
    description: Type.Optional(
      Type.Union([Type.Object({}, { additionalProperties: true, description: 'At most 16 KiB of JSON' }), Type.Null()]),
    ),
    case_state_id: Type.Optional(nullable(Type.Integer({ ...int32, minimum: 1, maximum: 3 }))),
  },
  {
    title: 'CaseFields',
    examples: [{ given_name: '지우', family_name: '김', description: { age: 7, gender: 'F' }, case_state_id: null }],
  },
)

export type Case = Static<typeof Case>
export type CaseBody = Static<typeof CaseBody>
