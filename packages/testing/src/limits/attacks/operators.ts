import { type Attack, insist, range, repeatFor, tally } from '../attack.ts'
import { type Answer, request } from '../client.ts'
import { askAll, get } from '../links.ts'
import type { Stage } from '../place.ts'

const operations = '/contents/api/operations'
const retryOf = (id: number | string) => `${operations}/jobs/${id}/retry`
const operator = { scope: 'operations' }
const long = 'operation'.repeat(400)

/** Claims that open the routes of operators. */
const opening: object[] = [
  operator,
  { scope: ['operations'] },
  { scope: ['other', 'operations'], user_id: 1 },
  { scope: ' operations ' },
  { scope: 'other  operations   reports:write' },
]

/** Claims that open nothing of an operator. */
const closed: object[] = [
  ...[
    ...['', ' ', 'Operations', 'OPERATIONS', 'operation', 'operationss', 'operations:read', 'operations,other', long],
    ...[
      'operations\t',
      '\noperations',
      'operations\u00a0',
      'operations\0',
      'operations;',
      '"operations"',
      'оperations',
    ],
    ...['operations+other', 'operations%20', 'reports:write', `${long} ${long}`],
    ...[null, true, 1, 1e308, {}, { operations: true }, { 0: 'operations', length: 1 }, { includes: 'operations' }],
    ...[
      [],
      [['operations']],
      ['Operations'],
      ['operations other'],
      [' operations'],
      [{ toString: 'operations' }],
      [null],
    ],
    range(900).map(() => 'operation'),
  ].map((scope) => ({ scope })),
  ...[{}, { scopes: ['operations'] }, { scp: 'operations' }, { Scope: 'operations' }, { role: 'operations' }],
  ...[0, -1, 1.5, 2 ** 40, '1', null, [1], true].map((user_id) => ({ ...operator, user_id })),
  ...[0, -1, 1e300, '9999999999', null, Math.floor(Date.now() / 1000) + 800 * 86_400].map((exp) => ({
    ...operator,
    exp,
  })),
  { ...operator, nbf: 1e10 },
  { __proto__: null, 'scope ': 'operations' },
]

/** Texts that are no id of a job. */
const ids = [
  ...[
    '-1',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    'NaN',
    'Infinity',
    'null',
    '%31%00',
    '1%20',
    '%20',
    '1,2',
    '1;2',
    "1'--",
    '%D9%A1',
  ],
  ...[
    '9'.repeat(16),
    '9'.repeat(400),
    '-'.concat('9'.repeat(300)),
    '..%2f..',
    '{id}',
    '%7B%7D',
    '[]',
    '1%0d%0a',
    '%EF%BC%91',
  ],
]
/** Ids that no job has. */
const strangers = ['0', '999999999999999', '000000000000000', '2147483648', '9007199254740']
const marks = [
  '',
  '1',
  '2-0-1',
  '1-1-',
  '1-1--1',
  `1-1-${'9'.repeat(16)}`,
  '1-1-1e3',
  "1-1-1'--",
  '%00',
  '9'.repeat(3_000),
]

const scopes: Attack = {
  name: 'operator-scopes',
  what: `the operators' routes with ${closed.length} tokens that open nothing, and with ids and marks that are none`,
  async prepare(stage) {
    const ask = (method: string, target: string, authorization: string) =>
      get(stage.url, target, [`authorization: ${authorization}`, 'content-length: 0'], method)
    return async () => {
      const refused: number[] = []
      const forged = ['Bearer x', 'Bearer', 'Basic b3BlcmF0aW9uczo=', stage.authorization(operator).slice(0, -2)]
      const unsigned = [{ alg: 'none' }, operator].map((part) =>
        Buffer.from(JSON.stringify(part)).toString('base64url'),
      )
      const tokens = [
        ...closed.map((claims) => stage.authorization(claims)),
        ...range(20).map(() => stage.therapist().authorization),
        ...forged,
        `Bearer ${unsigned.join('.')}.`,
      ]
      await askAll(tokens, async (authorization) => {
        for (const [method, target] of [
          ['GET', operations],
          ['POST', retryOf(1)],
        ] as const) {
          const answer = await ask(method, target, authorization)
          refused.push(answer.status)
          const payload = Buffer.from(authorization.split('.')[1] ?? '', 'base64url')
            .toString()
            .slice(0, 80)
          // The longest do not fit into the headers.
          insist([401, 431].includes(answer.status), `${method} ${payload}: ${answer.status}`)
          insist(!/given_up|encoded_seconds/.test(answer.body.toString()), `${method} ${payload} shows something`)
        }
      })
      for (const claims of opening) {
        const { status } = await ask('GET', operations, stage.authorization(claims))
        insist(status === 200, `${JSON.stringify(claims)}: ${status}`)
      }
      const authorization = stage.authorization(operator)
      const odd: number[] = []
      const targets = [
        ...[...ids, ...strangers].map((id) => ['POST', retryOf(id)] as const),
        ...marks.map((mark) => ['GET', `${operations}?after=${mark}`] as const),
        ['GET', `${operations}?after=1-1-1&after=1-1-2`] as const,
      ]
      await askAll([...targets], async ([method, target]) => {
        const { status } = await ask(method, target, authorization)
        odd.push(status)
        insist([400, 404, 422].includes(status), `${method} ${target.slice(0, 80)}: ${status}`)
      })
      const answers = await Promise.all(
        ['/contents/api/case', '/contents/api/audit'].map((target) => ask('GET', target, authorization)),
      )
      insist(
        answers.every(({ status }) => status === 401 || status === 404),
        `an operator opens ${tally(answers.map(({ status }) => status))}`,
      )
      return `tokens ${tally(refused)}; ids and marks ${tally(odd)}`
    }
  },
}

/** Adds jobs that were given up, of erasures that nobody has asked for. Returns their ids. */
async function giveUp({ sql }: Stage, count: number): Promise<number[]> {
  const rows = await sql<{ id: number }[]>`
    insert into outbox (name, payload, published_at, failed_at, failure, attempts)
    select 'erase', '{"erasure_id":2147483647}', now(), now(), 'no disk', 10 from generate_series(1, ${count})
    returning id::float8 as id`
  return rows.map(({ id }) => id)
}

const storms: Attack = {
  name: 'operator-storms',
  what: '64 clients with an operator’s token, who read the overview and its pages and retry the same 2,000 jobs',
  async prepare(stage) {
    const jobs = await giveUp(stage, 2_000)
    const tokens = range(64).map((n) => stage.authorization({ ...operator, n }))
    return async () => {
      const read: Answer[] = []
      const announced = new Map<number, number>()
      const retried: number[] = []
      let turn = 0
      const ask = async (authorization: string, n: number) => {
        const headers = { authorization }
        if (n % 2 === 0) {
          const mark = `?after=1-1-${turn++ * 7}`
          const answer = await request(`${stage.url}${operations}${n % 4 === 0 ? '' : mark}`, { headers })
          read.push({ ...answer, body: Buffer.alloc(0) })
          return
        }
        // Two neighbours ask for the same job.
        const id = jobs[(turn++ >> 1) % jobs.length] ?? 0
        const { status } = await request(stage.url + retryOf(id), { method: 'POST', headers })
        retried.push(status)
        if (status === 200) announced.set(id, (announced.get(id) ?? 0) + 1)
      }
      await Promise.all(tokens.map((token, n) => repeatFor(stage.seconds, () => ask(token, n))))
      const seen = `reads ${tally(read.map(({ status }) => status))}; retries ${tally(retried)}`
      const twice = [...announced.values()].filter((count) => count > 1).length
      insist(twice === 0, `${twice} jobs were announced twice; ${seen}`)
      const isFine = (status: number) => [200, 404, 429].includes(status)
      insist(read.every(({ status }) => isFine(status)) && retried.every(isFine), seen)
      return seen
    }
  },
}

/** What only operators may see and do, asked for by others, and by many at once. */
export const operatorAttacks: Attack[] = [scopes, storms]
