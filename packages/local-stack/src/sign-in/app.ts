import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Database } from '@playtherapy/schema'
import {
  ApiError,
  boundRate,
  refusals as describe,
  describeErrors,
  errors,
  failures,
  requireTherapist,
  samples,
} from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { TherapistClaims } from '../tokens.ts'
import { type Account, accounts } from './accounts.ts'
import { hashPassword, isPassword } from './passwords.ts'
import { AccessToken, Choices, Claims, choices, profileOf, SignIn, SignUp, User } from './schemas.ts'

/** How long a token is valid, as the old service had it. */
const tokenHours = 24
/** Attempts to sign in by one email in a minute, and sign-ups from one address. */
const [mostAttempts, mostSignUps] = [20, 60]
const formBytes = 16_384
/** A form has to arrive as fast as the JSON bodies of service-kit. */
const formRate = { windowMs: 10_000, leastBytes: Number.POSITIVE_INFINITY }

/** The refusals of the old service, which its client knows by status and code. */
const refusals = {
  unknown: (email: string) =>
    new ApiError(404, 0, `There is no information matching the user's email [${email}] and password.`),
  invalid: (email: string) => new ApiError(400, 0, `User email [${email}] is invalid`),
  taken: (email: string) => new ApiError(400, 1, `User email [${email}] already exist`),
}

const { invalidInput, tooLarge, tooManyRequests, unavailable, unexpected } = samples
const ofForms = { invalidInput, tooLarge, tooManyRequests, unavailable, unexpected }

const isEmail = (text: string) => /^[^\s@\0]+@[^\s@\0]+$/.test(text)

const toUser = ({ id, email, name, profile, created_time }: Account) => ({
  id,
  email,
  name,
  hashed_password: '' as const,
  ...profileOf(profile),
  created_time: new Date(created_time).toISOString(),
})

const toClaims = ({ id, email, name, profile }: Account): TherapistClaims => ({
  user_id: id,
  user_email: email,
  user_name: name,
  user_type: profile.user_type_id ?? null,
})

const route = { tags: ['auth'] }

interface SignInOptions {
  db: Database
  /** Returns a token with these claims, valid for so many hours. */
  sign(claims: TherapistClaims, hours: number): string
}

/** The email that a checked form names, by which attempts are counted. */
const emailOf = ({ body }: FastifyRequest<{ Body?: unknown }>) =>
  Value.Check(SignIn, body) ? body.username.trim().toLowerCase() : ''

/** What a token is good for at the sign-in service itself. The existing client does not ask for it. */
const tokenRoutes: FastifyPluginAsyncTypebox<SignInOptions> = async (app, { db, sign }) => {
  const withToken = { ...route, security: [{ token: [] }] }
  const claimsOf = (request: FastifyRequest): Claims => {
    const claims = Value.Clean(Claims, app.jwt.decode(app.jwt.lookupToken(request)))
    if (!Value.Check(Claims, claims)) throw errors.invalidToken()
    return claims
  }
  app.addHook('onRequest', requireTherapist)

  app.post(
    '/verify',
    {
      schema: {
        ...withToken,
        operationId: 'auth.verify',
        summary: 'Read the claims of a token',
        response: { 200: Claims, ...failures() },
      },
    },
    claimsOf,
  )

  app.post(
    '/refresh',
    {
      schema: {
        ...withToken,
        operationId: 'auth.refresh',
        summary: 'Get a new token, valid for a day',
        response: { 200: Type.String({ examples: ['eyJhbGciOiJIUzI1NiJ9…'] }), ...failures() },
      },
    },
    async (request, reply) => {
      const { exp: _, iat: __, ...claims } = claimsOf(request)
      // A text would be sent as it is; the old service sent JSON.
      return reply.type('application/json').send(JSON.stringify(sign(claims, tokenHours)))
    },
  )

  app.get(
    '/user',
    {
      schema: {
        ...withToken,
        operationId: 'auth.getAccount',
        summary: 'Read the account of a token',
        response: { 200: User, ...failures() },
      },
    },
    async ({ userId }) => {
      const account = await accounts(db).withId(userId)
      // A minted token may name a therapist without an account.
      if (!account) throw errors.invalidToken()
      return toUser(account)
    },
  )
}

/**
 * The stand-in for the sign-in service, as the existing client uses it. Everybody may sign up: the old service kept a list
 * of emails that might, but only this machine reaches this one. openAccounts() comes first.
 */
export const signInApp: FastifyPluginAsyncTypebox<SignInOptions> = async (app, { db, sign }) => {
  const repository = accounts(db)

  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: formBytes },
    async (_request: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)),
  )

  app.get(
    '/config',
    {
      schema: {
        ...route,
        operationId: 'auth.listChoices',
        summary: 'What the sign-up form offers',
        response: { 200: Choices, ...describe('tooManyRequests') },
      },
    },
    () => choices,
  )

  app.post(
    '/signup',
    {
      bodyLimit: formBytes,
      config: { rateLimit: { max: mostSignUps } },
      schema: {
        ...route,
        operationId: 'auth.signUp',
        summary: 'Make an account',
        body: SignUp,
        response: {
          200: User,
          ...describeErrors({
            ...ofForms,
            invalid: refusals.invalid('mina@'),
            taken: refusals.taken('mina@example.com'),
          }),
        },
      },
    },
    async ({ body }) => {
      const email = body.email.trim()
      if (!isEmail(email)) throw refusals.invalid(email)
      const password = await hashPassword(body.hashed_password)
      const account = await repository.add({ email, name: body.name, password, profile: profileOf(body) })
      if (!account) throw refusals.taken(email)
      return toUser(account)
    },
  )

  app.post(
    '/signin',
    {
      config: { rateLimit: { hook: 'preHandler', max: mostAttempts, keyGenerator: emailOf } },
      schema: {
        ...route,
        operationId: 'auth.signIn',
        summary: 'Get a token, valid for a day',
        consumes: ['application/x-www-form-urlencoded'],
        body: SignIn,
        response: {
          200: AccessToken,
          ...describeErrors({ ...ofForms, unknown: refusals.unknown('mina@example.com') }),
        },
      },
      preParsing: (request, _reply, _payload, next) => {
        boundRate(request.raw, formRate, () => request.raw.destroy())
        next()
      },
    },
    async ({ body: { username, password } }) => {
      const email = username.trim()
      const account = isEmail(email) ? await repository.withEmail(email) : undefined
      if (!(await isPassword(password, account?.password)) || !account) throw refusals.unknown(email)
      return { access_token: sign(toClaims(account), tokenHours) }
    },
  )

  await app.register(tokenRoutes, { db, sign })
}
