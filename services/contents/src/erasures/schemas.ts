import { int32 } from '@playtherapy/service-kit'
import { Type } from 'typebox'

const moment = (description: string) => Type.String({ description })
const momentOrNull = (description: string) => Type.Union([moment(description), Type.Null()])
const idOrNull = (description: string) => Type.Union([Type.Integer({ ...int32, description }), Type.Null()])

const example = {
  id: '7c2f4f0e-94a5-4c3c-9d5a-0f3a5d1e6b11',
  state: 'erased',
  case_id: 12,
  session_id: 31,
  video_id: null,
  asked_at: '2026-03-30T09:00:00.000Z',
  asked_by: 'therapist',
  first_swept_at: '2026-03-30T09:00:01.204Z',
  last_sweep_due: '2026-03-31T10:00:00.000Z',
  last_swept_at: '2026-03-31T10:00:02.001Z',
  locked_until: null,
}

const fields = {
  id: Type.String(),
  state: Type.Union([Type.Literal('pending'), Type.Literal('erased'), Type.Literal('locked')], {
    description:
      'pending: the rows are deleted, and objects are still to be removed; erased: all is removed; locked: all is, but for what Object Lock keeps',
  }),
  case_id: Type.Integer(int32),
  session_id: idOrNull('Null for a whole case'),
  video_id: idOrNull('Null for a whole case or session'),
  asked_at: moment('When the rows were deleted'),
  asked_by: Type.Union([Type.Literal('therapist'), Type.Literal('retention')], {
    description: 'Who asked for it: the therapist, or the operator by the command retention',
  }),
  first_swept_at: momentOrNull('When the first removal of objects had ended'),
  last_sweep_due: moment('When the last removal is due: no upload can bring anything back then'),
  last_swept_at: momentOrNull('When the last removal had ended'),
  locked_until: momentOrNull('Until when Object Lock keeps a version'),
}

const ErasureState = Type.Object(fields, { title: 'ErasureState', examples: [example] })
export const Erasures = Type.Array(ErasureState, { examples: [[example]] })

export const Erasure = Type.Object(
  {
    ...fields,
    receipt: Type.Union([
      Type.String({ description: 'The signed proof, a compact JWS, see "Erasure" in services/contract.md' }),
      Type.Null(),
    ]),
  },
  { title: 'Erasure', examples: [{ ...example, receipt: 'eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiI3YzJmIn0.c2lnbmF0dXJl' }] },
)

export const ErasureParams = Type.Object({ id: Type.String({ description: 'An erasure of the caller' }) })

/** A UUID, in lower case as we write it. */
export const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export const ErasuresQuery = Type.Object({
  before: Type.Optional(
    Type.String({ pattern: uuid.source, description: 'The `id` of the last one of the page before' }),
  ),
})

/** Public keys as RFC 7517 and RFC 8037 have them. */
export const ReceiptKeys = Type.Object(
  {
    keys: Type.Array(
      Type.Object({
        kty: Type.Literal('OKP'),
        crv: Type.Literal('Ed25519'),
        alg: Type.Literal('EdDSA'),
        use: Type.Literal('sig'),
        kid: Type.String({ description: 'The thumbprint of the key (RFC 7638)' }),
        x: Type.String(),
      }),
    ),
  },
  {
    title: 'ReceiptKeys',
    examples: [
      {
        keys: [
          {
            kty: 'OKP',
            crv: 'Ed25519',
            alg: 'EdDSA',
            use: 'sig',
            kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
            x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
          },
        ],
      },
    ],
  },
)
