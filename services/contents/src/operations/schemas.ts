import { numberText } from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'
import { minutesShown } from './repository.ts'

const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null()], { description })

const Room = Type.Object({ free_bytes: Type.Integer(), total_bytes: Type.Integer() })
const count = (description: string) => Type.Integer({ description })

const example = {
  at: '2026-03-09T05:12:31.020Z',
  jobs: [{ name: 'encode-chunk', later: 0, waiting: 12, begun: 1, failed: 0, refused: 0 }],
  queue: { depth: 12, oldest_seconds: 41.5 },
  given_up: [
    {
      id: 812,
      name: 'encode-video',
      ids: { video_id: 31 },
      attempts: 10,
      at: '2026-03-09T04:40:02.511Z',
      reason: 'It was tried several times without success. the object store does not answer',
      how: 'failed' as const,
    },
  ],
  next: null,
  processes: [
    {
      id: '0b1f6c1e-7a1d-4c3e-9d55-0a8d2f5a9a11',
      kind: 'worker',
      version: '0.1.0',
      commit: 'bc17379',
      started_at: '2026-03-09T03:00:00.000Z',
      seen_at: '2026-03-09T05:12:27.000Z',
      alive: true,
      scratch: { free_bytes: 18_000_000_000, total_bytes: 40_000_000_000 },
    },
  ],
  encoded_seconds: [...Array<number>(minutesShown - 2).fill(0), 84, 232.5],
  bytes: { originals: 734_003_200, encoded: 512_000_000, scripts: 120_000, reports: 48_211, exports: 0 },
  disk: null,
}

export const Operations = Type.Object(
  {
    at: Type.String({ format: 'date-time', description: 'When this was read; it may be some seconds old' }),
    jobs: Type.Array(
      Type.Object({
        name: Type.String(),
        later: count('Are not due yet'),
        waiting: count('Are due, and have not begun'),
        begun: count('Have begun: they run, or will be tried again'),
        failed: count('Were given up'),
        refused: count('Were given up because of the recording or script itself'),
      }),
      { description: 'Every job that has not ended, by its name' },
    ),
    queue: Type.Object({
      depth: count('Jobs that are due and have not begun'),
      oldest_seconds: orNull(Type.Number(), 'How long the oldest of them has been due; null without one'),
    }),
    given_up: Type.Array(
      Type.Object({
        id: Type.Integer({ format: 'int64' }),
        name: Type.String(),
        ids: Type.Record(Type.String(), Type.Integer(), { description: 'What it is about' }),
        attempts: Type.Integer(),
        at: Type.String({ format: 'date-time' }),
        reason: Type.String(),
        how: Type.Union([Type.Literal('failed'), Type.Literal('refused')], {
          description: 'refused: because of the recording or script itself, so that a retry fails again',
        }),
      }),
      { description: 'First those that failed, then those that were refused, then webhooks; the newest of each first' },
    ),
    next: orNull(Type.String(), 'Pass it as `after` for the next page of `given_up`; null at its end'),
    processes: Type.Array(
      Type.Object({
        id: Type.String(),
        kind: Type.String({ description: 'Such as `worker` or `media`' }),
        version: Type.String(),
        commit: Type.String(),
        started_at: Type.String({ format: 'date-time' }),
        seen_at: Type.String({ format: 'date-time', description: 'Its last heartbeat; they come every ten seconds' }),
        alive: Type.Boolean({ description: 'False when it has been silent for half a minute' }),
        scratch: orNull(Room, 'The disk of its scratch files, of a worker'),
      }),
      { description: 'Processes that run, or ended without a word within the last hour; workers first, at most 200' },
    ),
    encoded_seconds: Type.Array(Type.Number(), {
      description: `Seconds of recordings whose picture was encoded in each of the last ${minutesShown} minutes, the oldest minute first. Copied pictures do not count`,
    }),
    bytes: orNull(
      Type.Object({
        originals: Type.Integer(),
        encoded: Type.Integer(),
        scripts: Type.Integer(),
        reports: Type.Integer(),
        exports: Type.Integer(),
      }),
      'Bytes of all objects, counted every minute at most; null when that takes too long',
    ),
    disk: orNull(Room, 'The disk of the object store; null where the store cannot tell, as S3'),
  },
  { title: 'Operations', examples: [example] },
)

export type Operations = Static<typeof Operations>

export const OperationsQuery = Type.Object({
  after: Type.Optional(
    Type.String({ pattern: '^[01]-[01]-[0-9]{1,15}$', description: 'The `next` of the page of `given_up` before' }),
  ),
})

export const JobParams = Type.Object({
  id: numberText('^[0-9]{1,15}$', 'A job of `given_up`'),
})

export const Announced = Type.Boolean({ examples: [true] })
