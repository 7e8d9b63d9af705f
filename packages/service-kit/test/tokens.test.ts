import { generateKeyPairSync } from 'node:crypto'
import { type AuthSettings, requireReportWriter, requireTherapist } from '@playtherapy/service-kit'
import { jwtSecret, type Teardown } from '@playtherapy/testing'
import t from 'tap'
import { bearer, good, hmac, keyed, startHost, unsigned } from './support.ts'

async function tokenHost(t: Teardown, auth: AuthSettings) {
  const { url } = await startHost(t, {
    auth,
    apps: async (root) => {
      await root.register(async (app) => {
        app.addHook('onRequest', requireTherapist)
        app.get('/therapist', ({ userId }) => ({ userId }))
      })
      await root.register(async (app) => {
        app.addHook('onRequest', requireReportWriter)
        app.get('/writer', () => ({ writer: true }))
      })
    },
  })
  return async (path: string, headers: Record<string, string>) => {
    const response = await fetch(url + path, { headers })
    return { status: response.status, body: await response.json() }
  }
}

const refused = { status: 401, body: { message: 'access token is invalid', error_code: 0 } }
const hs256 = { alg: 'HS256', typ: 'JWT' }
const secretly = hmac('sha256', jwtSecret)
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed = generateKeyPairSync('ed25519')
const pem = (pair: typeof rsa) => pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()

t.test('with a shared secret', async (t) => {
  const get = await tokenHost(t, { jwtSecret })
  t.same(await get('/therapist', good()), { status: 200, body: { userId: 7 } })

  const user = { user_id: 7 }
  const now = Math.floor(Date.now() / 1000)
  const none = ['none', 'None', 'NONE', 'nOnE', '', null, 0, ['HS256'], 'hs256', 'HS256 ']
  const bad: [string, Record<string, string>][] = [
    ['no header', {}],
    ['no token', { authorization: 'Bearer ' }],
    ['another scheme', { authorization: (good().authorization ?? '').replace('Bearer', 'Basic') }],
    ['a cookie', { cookie: `authToken=${good().authorization?.slice(7)}` }],
    ['another secret', bearer(hs256, user, hmac('sha256', `${jwtSecret}x`))],
    ['the empty secret', bearer(hs256, user, hmac('sha256', ''))],
    ['no algorithm named', bearer({ typ: 'JWT' }, user, secretly)],
    ['HS512 with the right secret', bearer({ alg: 'HS512' }, user, hmac('sha512', jwtSecret))],
    ['HS384 with the right secret', bearer({ alg: 'HS384' }, user, hmac('sha384', jwtSecret))],
    ['RS256 with a key of its own', bearer({ alg: 'RS256' }, user, keyed('sha256', rsa.privateKey))],
    ['RS256 signed with the secret', bearer({ alg: 'RS256' }, user, secretly)],
    [
      'a key of its own in its header',
      bearer({ alg: 'RS256', jwk: rsa.publicKey.export({ format: 'jwk' }) }, user, keyed('sha256', rsa.privateKey)),
    ],
    ['an extension nobody knows', bearer({ ...hs256, crit: ['b64'], b64: false }, user, secretly)],
    ['not valid yet', bearer(hs256, { ...user, nbf: now + 60 }, secretly)],
    ['nbf as text', bearer(hs256, { ...user, nbf: '0' }, secretly)],
    ['expired', bearer(hs256, { ...user, exp: now - 1 }, secretly)],
    ['exp as text', bearer(hs256, { ...user, exp: String(now + 60) }, secretly)],
    ['exp null', bearer(hs256, { ...user, exp: null }, secretly)],
    ['exp a list', bearer(hs256, { ...user, exp: [now + 60] }, secretly)],
    ['no exp', bearer(hs256, { ...user, exp: undefined }, secretly)],
    ...none.map((alg): [string, Record<string, string>] => [`alg ${alg}, unsigned`, bearer({ alg }, user, unsigned)]),
    ...none.map((alg): [string, Record<string, string>] => [`alg ${alg}, signed`, bearer({ alg }, user, secretly)]),
    ...[undefined, null, 0, -7, 7.5, 2_147_483_648, 1e300, '7', true, [7], { id: 7 }].map(
      (user_id): [string, Record<string, string>] => [`user_id ${user_id}`, bearer(hs256, { user_id }, secretly)],
    ),
  ]
  for (const [what, headers] of bad) t.same(await get('/therapist', headers), refused, what)
  const token = good().authorization ?? ''
  t.same(await get('/therapist', { authorization: `${token.slice(0, -2)}` }), refused, 'a signature cut short')
  t.same(await get('/therapist', { authorization: token.slice(0, token.lastIndexOf('.') + 1) }), refused, 'none at all')
  const [head, , signature] = token.split('.')
  const swapped = Buffer.from(JSON.stringify({ user_id: 8, exp: now + 60 })).toString('base64url')
  t.same(await get('/therapist', { authorization: `${head}.${swapped}.${signature}` }), refused, 'other claims')
  t.same(await get('/therapist', bearer(hs256, { user_id: 2_147_483_647 }, secretly)), {
    status: 200,
    body: { userId: 2_147_483_647 },
  })
})

t.test('two kinds of token, and neither opens the other door', async (t) => {
  const get = await tokenHost(t, { jwtSecret })
  const claims = (more: object) => bearer(hs256, more, secretly)
  const opens = { status: 200, body: { writer: true } }
  t.same(await get('/writer', claims({ scope: 'reports:write' })), opens)
  t.same(await get('/writer', claims({ scope: 'a reports:write b' })), opens)
  t.same(await get('/writer', claims({ scope: ['reports:write'] })), opens)
  for (const scope of [
    undefined,
    null,
    '',
    'reports:writeall',
    'reports',
    { 0: 'reports:write' },
    [['reports:write']],
  ]) {
    t.same(await get('/writer', claims({ scope })), refused, JSON.stringify(scope))
  }
  t.same(await get('/writer', claims({ scope: 'reports:write', user_id: 7 })), refused)
  t.same(await get('/writer', claims({ user_id: 7 })), refused)
  t.same(await get('/therapist', claims({ scope: 'reports:write' })), refused)
})

t.test('with a public key, and a secret that opens nothing any more', async (t) => {
  for (const [alg, pair, hash] of [
    ['RS256', rsa, 'sha256'],
    ['ES256', ec, 'sha256'],
    ['EdDSA', ed, null],
  ] as const) {
    const jwtPublicKey = pem(pair)
    const get = await tokenHost(t, { jwtPublicKey, jwtSecret })
    const user = { user_id: 7 }
    t.same(
      await get('/therapist', bearer({ alg }, user, keyed(hash, pair.privateKey))),
      { status: 200, body: { userId: 7 } },
      alg,
    )
    const bad: [string, Record<string, string>][] = [
      ['the old secret', good()],
      ['the public key as a secret', bearer(hs256, user, hmac('sha256', jwtPublicKey))],
      ['the public key as a secret, trimmed', bearer(hs256, user, hmac('sha256', jwtPublicKey.trim()))],
      ['the public key as a secret, called asymmetric', bearer({ alg }, user, hmac('sha256', jwtPublicKey))],
      ['unsigned', bearer({ alg: 'none' }, user, unsigned)],
      ['unsigned, called asymmetric', bearer({ alg }, user, unsigned)],
      [
        'a key of the same kind',
        bearer({ alg: 'RS256' }, user, keyed('sha256', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)),
      ],
      ['no exp', bearer({ alg }, { user_id: 7, exp: undefined }, keyed(hash, pair.privateKey))],
    ]
    for (const [what, headers] of bad) t.same(await get('/therapist', headers), refused, `${alg}: ${what}`)
  }
})

t.test('keys that are none stop the boot', async (t) => {
  await t.rejects(startHost(t, { auth: {} }))
  await t.rejects(
    startHost(t, { auth: { jwtPublicKey: '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----' } }),
  )
})
