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

/** A header with claims that no JSON.stringify writes. */
function signedText(claims: string): Record<string, string> {
  const input = [JSON.stringify(hs256), claims].map((text) => Buffer.from(text).toString('base64url')).join('.')
  return { authorization: `Bearer ${input}.${secretly(input)}` }
}

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
    ['expired', bearer(hs256, { ...user, exp: now - 12 }, secretly)],
    ['exp as text', bearer(hs256, { ...user, exp: String(now + 60) }, secretly)],
    ['exp null', bearer(hs256, { ...user, exp: null }, secretly)],
    ['exp a list', bearer(hs256, { ...user, exp: [now + 60] }, secretly)],
    ['no exp', bearer(hs256, { ...user, exp: undefined }, secretly)],
    ['exp in more than a year', bearer(hs256, { ...user, exp: now + 367 * 86_400 }, secretly)],
    ['exp in milliseconds', bearer(hs256, { ...user, exp: (now + 60) * 1_000 }, secretly)],
    ['exp without an end', signedText('{"user_id":7,"exp":1e999}')],
    ['exp beyond any date', signedText('{"user_id":7,"exp":1e308}')],
    ['exp negative', bearer(hs256, { ...user, exp: -now }, secretly)],
    ['exp inherited', signedText(`{"user_id":7,"__proto__":{"exp":${now + 60}}}`)],
    ['user_id inherited', signedText(`{"exp":${now + 60},"__proto__":{"user_id":7}}`)],
    ['the last of two exp', signedText(`{"user_id":7,"exp":${now + 60},"exp":1}`)],
    ['the last of two user_id', signedText(`{"user_id":7,"exp":${now + 60},"user_id":"7"}`)],
    ['a list of claims', signedText(`[{"user_id":7,"exp":${now + 60}}]`)],
    ['crit empty', bearer({ ...hs256, crit: [] }, user, secretly)],
    ['crit as text', bearer({ ...hs256, crit: 'exp' }, user, secretly)],
    ['two headers in one', { authorization: `${good().authorization}, ${good(8).authorization}` }],
    ['two spaces', { authorization: (good().authorization ?? '').replace(' ', '  ') }],
    ['a tab', { authorization: (good().authorization ?? '').replace(' ', '\t') }],
    ['padding', { authorization: `${good().authorization}=` }],
    ['a token of 12 KB', bearer(hs256, { ...user, user_id: 'x'.repeat(9_000) }, secretly)],
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
  const isFine: [string, Record<string, string>][] = [
    ['a year', bearer(hs256, { ...user, exp: now + 365 * 86_400 }, secretly)],
    ['exp with a fraction', bearer(hs256, { ...user, exp: now + 60.5 }, secretly)],
    ['expired, by a clock 8 s ahead of ours', bearer(hs256, { ...user, exp: now - 8 }, secretly)],
    ['not valid yet, by a clock 8 s behind the issuer’s', bearer(hs256, { ...user, nbf: now + 8 }, secretly)],
    ['issued by a clock ahead of ours', bearer(hs256, { ...user, iat: now + 60 }, secretly)],
    ['a key id, which we have no use for', bearer({ ...hs256, kid: '../../dev/null' }, user, secretly)],
    ['user_id with a fraction of nothing', signedText(`{"user_id":7.0,"exp":${now + 60}}`)],
    ['another spelling of the scheme', { authorization: (good().authorization ?? '').replace('Bearer', 'bearer') }],
    ['an audience and an issuer, as none are configured', bearer(hs256, { ...user, aud: 'x', iss: 'y' }, secretly)],
  ]
  for (const [what, headers] of isFine)
    t.same(await get('/therapist', headers), { status: 200, body: { userId: 7 } }, what)
  t.same(await get('/therapist', bearer(hs256, { user_id: 2_147_483_647 }, secretly)), {
    status: 200,
    body: { userId: 2_147_483_647 },
  })
})

t.test('a refusal says why in WWW-Authenticate, and repeats nothing of the token', async (t) => {
  const { url } = await startHost(t, {
    auth: { jwtSecret, jwtAudience: 'playtherapy' },
    apps: async (app) => {
      app.addHook('onRequest', requireTherapist)
      app.get('/', () => ({}))
    },
  })
  const claims = { user_id: 7, aud: 'playtherapy' }
  const now = Math.floor(Date.now() / 1000)
  const wanted: [description: string | undefined, headers: Record<string, string>][] = [
    [undefined, {}],
    ['the token is malformed', { authorization: 'Bearer undefined' }],
    [undefined, { authorization: 'Basic dTpw' }],
    ['the token is malformed', { authorization: 'Bearer eyJ"x\\' }],
    ['the token has expired', bearer(hs256, { ...claims, exp: now - 60 }, secretly)],
    ['the token is not valid yet', bearer(hs256, { ...claims, nbf: now + 60 }, secretly)],
    ['the signature does not match', bearer(hs256, claims, hmac('sha256', 'x'))],
    [
      'the token is signed by an algorithm that is not accepted',
      bearer({ alg: 'HS512' }, claims, hmac('sha512', jwtSecret)),
    ],
    ['the claim exp is missing', bearer(hs256, { ...claims, exp: undefined }, secretly)],
    ['the claim exp is not the expected one', bearer(hs256, { ...claims, exp: 'soon' }, secretly)],
    ['the claim aud is missing', bearer(hs256, { user_id: 7 }, secretly)],
    ['the claim aud is not the expected one', bearer(hs256, { ...claims, aud: 'secret"\r\nx' }, secretly)],
    ['exp is more than a year ahead', bearer(hs256, { ...claims, exp: now + 400 * 86_400 }, secretly)],
    ['the claim user_id is missing', bearer(hs256, { aud: 'playtherapy' }, secretly)],
    ['the claim user_id is not a positive integer', bearer(hs256, { ...claims, user_id: 'secret' }, secretly)],
  ]
  for (const [description, headers] of wanted) {
    const response = await fetch(url, { headers: { ...headers, origin: 'http://localhost:3000' } })
    t.same([response.status, await response.json()], [refused.status, refused.body], description ?? 'no token')
    const why = description ? `, error="invalid_token", error_description="${description}"` : ''
    t.equal(response.headers.get('www-authenticate'), `Bearer realm="playtherapy"${why}`)
    t.match(response.headers.get('access-control-expose-headers'), /WWW-Authenticate/)
  }
})

t.test('for an audience, from an issuer', async (t) => {
  const get = await tokenHost(t, { jwtSecret, jwtAudience: 'playtherapy', jwtIssuer: 'https://auth.clinic.example' })
  const iss = 'https://auth.clinic.example'
  const ask = (path: string, claims: object) => get(path, bearer(hs256, claims, secretly))
  for (const aud of ['playtherapy', ['playtherapy'], ['other', 'playtherapy']]) {
    t.match(await ask('/therapist', { user_id: 7, aud, iss }), { status: 200 }, JSON.stringify(aud))
    t.match(await ask('/writer', { scope: 'reports:write', aud, iss }), { status: 200 }, JSON.stringify(aud))
  }
  const bad = [
    ...[undefined, null, '', 'play', 'playtherapy2', 'PlayTherapy', 'other playtherapy', [], [[]], ['other'], 7].map(
      (aud) => ({ aud, iss }),
    ),
    ...[['playtherapy', 7], [['playtherapy']], { 0: 'playtherapy' }].map((aud) => ({ aud, iss })),
    ...[undefined, null, '', `${iss}/`, 'https://auth', [iss], true].map((iss) => ({ aud: 'playtherapy', iss })),
  ]
  for (const claims of bad) {
    t.same(await ask('/therapist', { user_id: 7, ...claims }), refused, JSON.stringify(claims))
    t.same(await ask('/writer', { scope: 'reports:write', ...claims }), refused, JSON.stringify(claims))
  }
})

t.test('a therapist’s token opens no route of the analysis system, and the reverse', async (t) => {
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
  for (const scope of ['reports:write operations', ['operations', 'reports:write']]) {
    t.same(await get('/writer', claims({ scope })), refused, 'of an operator')
  }
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

t.test('with several secrets while one takes the place of another', async (t) => {
  const newer = 'a newer secret for tests only of fifty characters'
  const older = newer.replace('newer', 'older')
  const user = { user_id: 7 }
  const opens = { status: 200, body: { userId: 7 } }
  for (const secrets of [`${newer},${older}`, `${newer}, ${older}`]) {
    const get = await tokenHost(t, { jwtSecret: secrets })
    t.same(await get('/therapist', bearer(hs256, user, hmac('sha256', newer))), opens, 'the new one')
    t.same(await get('/therapist', bearer(hs256, user, hmac('sha256', older))), opens, 'the old one')
    for (const other of [secrets, `${newer},`, `,${older}`, ` ${older}`, ',', '', newer.slice(1)]) {
      t.same(await get('/therapist', bearer(hs256, user, hmac('sha256', other))), refused, other)
    }
    const past = { ...user, exp: Math.floor(Date.now() / 1000) - 60 }
    t.same(await get('/therapist', bearer(hs256, past, hmac('sha256', older))), refused, 'expired, of the old one')
    t.same(await get('/therapist', bearer({ alg: 'none' }, user, unsigned)), refused)
  }
})

t.test('a comma does not part what was one secret before there could be several', async (t) => {
  for (const secret of ['made by hand, of forty characters or more', `${'x'.repeat(31)},${'y'.repeat(31)}`]) {
    const get = await tokenHost(t, { jwtSecret: secret })
    const ask = (key: string) => get('/therapist', bearer(hs256, { user_id: 7 }, hmac('sha256', key)))
    t.match(await ask(secret), { status: 200 })
    for (const part of secret.split(',')) t.same(await ask(part), refused)
  }
})

t.test('keys that are none stop the boot', async (t) => {
  await t.rejects(startHost(t, { auth: {} }))
  await t.rejects(
    startHost(t, { auth: { jwtPublicKey: '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----' } }),
  )
})
