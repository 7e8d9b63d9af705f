import { int32 } from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'

const orNull = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) =>
  Type.Optional(Type.Union([schema, Type.Null()]))

/** What the client's form asks for beside email, name and password; nothing reads it. */
const profile = {
  birth_year: orNull(Type.Integer()),
  gender: orNull(Type.String({ maxLength: 20 })),
  highest_education_level_id: orNull(Type.Integer({ ...int32, minimum: 1, maximum: 5 })),
  years_of_experience: orNull(Type.Number({ minimum: 0, maximum: 150 })),
  user_type_id: orNull(Type.Integer({ ...int32, minimum: 1 })),
  org_id: orNull(Type.Integer({ ...int32, minimum: 1 })),
}
const Profile = Type.Object(profile)
export type Profile = Static<typeof Profile>

/** The profile with all of its fields, and with no others. */
export const profileOf = (given: Profile) => ({
  birth_year: given.birth_year ?? null,
  gender: given.gender ?? null,
  highest_education_level_id: given.highest_education_level_id ?? null,
  years_of_experience: given.years_of_experience ?? null,
  user_type_id: given.user_type_id ?? null,
  org_id: given.org_id ?? null,
})

const text = (maxLength: number, description?: string) =>
  Type.String({ minLength: 1, maxLength, ...(description && { description }) })

export const SignUp = Type.Object(
  {
    email: Type.String({ maxLength: 254 }),
    name: text(255),
    hashed_password: text(1_024, 'The password itself; the name is the old one'),
    ...profile,
  },
  { title: 'SignUp', examples: [{ email: 'mina@example.com', name: 'Mina', hashed_password: 'a long password' }] },
)

export const User = Type.Object(
  {
    id: Type.Integer({ ...int32, description: 'The `user_id` of its tokens' }),
    email: Type.String(),
    name: Type.String(),
    hashed_password: Type.Literal(''),
    ...profile,
    created_time: Type.String({ format: 'date-time' }),
  },
  {
    title: 'Account',
    examples: [
      {
        id: 2,
        email: 'mina@example.com',
        name: 'Mina',
        hashed_password: '',
        birth_year: 1990,
        gender: 'F',
        highest_education_level_id: 4,
        years_of_experience: 3,
        user_type_id: 2,
        org_id: 1,
        created_time: '2026-03-09T05:12:31.020Z',
      },
    ],
  },
)

/** The form of OAuth 2 (RFC 6749, section 4.3.2), without its constants. */
export const SignIn = Type.Object(
  {
    username: Type.String({ maxLength: 254 }),
    password: Type.String({ maxLength: 1_024 }),
  },
  { title: 'SignIn', examples: [{ username: 'mina@example.com', password: 'a long password' }] },
)

export const AccessToken = Type.Object(
  { access_token: Type.String() },
  { title: 'AccessToken', examples: [{ access_token: 'eyJhbGciOiJIUzI1NiJ9…' }] },
)

/** The claims of a token; a minted one has no email and no name. */
export const Claims = Type.Object(
  {
    user_id: Type.Integer(int32),
    user_email: Type.Optional(Type.String()),
    user_name: Type.Optional(Type.String()),
    user_type: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    iat: Type.Optional(Type.Integer()),
    exp: Type.Integer(),
  },
  {
    title: 'Claims',
    examples: [
      { user_id: 2, user_email: 'mina@example.com', user_name: 'Mina', user_type: 2, iat: 1795719600, exp: 1795806000 },
    ],
  },
)
export type Claims = Static<typeof Claims>

const Named = Type.Array(Type.Object({ id: Type.Integer(int32), name: Type.String() }))

export const Choices = Type.Object(
  { orgs: Named, userTypes: Named },
  {
    title: 'SignUpChoices',
    examples: [{ orgs: [{ id: 1, name: 'Local clinic' }], userTypes: [{ id: 2, name: 'Therapist' }] }],
  },
)

/** What the sign-up form offers. The client leaves out the first type of user. */
export const choices: Static<typeof Choices> = {
  orgs: [{ id: 1, name: 'Local clinic' }],
  userTypes: [
    { id: 1, name: 'Admin' },
    { id: 2, name: 'Therapist' },
    { id: 3, name: 'Supervisor' },
  ],
}
