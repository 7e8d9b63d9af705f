import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { jwtSecret, seedSession } from '@playtherapy/testing'
import t from 'tap'
import { at, operations, testServices } from './support.ts'

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const soon = Math.floor(Date.now() / 1000) + 600
const good = { user_id: 7, exp: soon }

function token(
  claims: object,
  header: object = { alg: 'HS256', typ: 'JWT' },
  hash = 'sha256',
  secret: string = jwtSecret,
) {
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
function signedByKey() {
  const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(good)}`
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
}

const unsigned = (alg: string) => `${part({ alg, typ: 'JWT' })}.${part(good)}.`

/** Authorization headers that open nothing. */
const wrong: Record<string, string | undefined> = {
  none: undefined,
  empty: '',
  'no scheme': token(good),
  'another scheme': `Basic ${token(good)}`,
  'the client without a cookie': 'Bearer undefined',
  'no token': 'Bearer ',
  garbage: 'Bearer abc',
  'three dots': 'Bearer a.b.c',
  'not JSON': `Bearer ${Buffer.from('x').toString('base64url')}.${Buffer.from('y').toString('base64url')}.zzz`,
  'two tokens': `Bearer ${token(good)} ${token(good)}`,
  expired: `Bearer ${token({ user_id: 7, exp: soon - 1200 })}`,
  'no exp': `Bearer ${token({ user_id: 7 })}`,
  'exp as text': `Bearer ${token({ user_id: 7, exp: String(soon) })}`,
  'exp null': `Bearer ${token({ user_id: 7, exp: null })}`,
  'not yet valid': `Bearer ${token({ ...good, nbf: soon - 60 })}`,
  'alg none': `Bearer ${unsigned('none')}`,
  'alg None': `Bearer ${unsigned('None')}`,
  'alg NONE': `Bearer ${unsigned('NONE')}`,
  'alg nOnE': `Bearer ${unsigned('nOnE')}`,
  'alg empty': `Bearer ${unsigned('')}`,
  'alg none, signed': `Bearer ${token(good, { alg: 'none', typ: 'JWT' })}`,
  'no alg': `Bearer ${token(good, { typ: 'JWT' })}`,
  HS384: `Bearer ${token(good, { alg: 'HS384', typ: 'JWT' }, 'sha384')}`,
  HS512: `Bearer ${token(good, { alg: 'HS512', typ: 'JWT' }, 'sha512')}`,
  'RS256 with the secret': `Bearer ${token(good, { alg: 'RS256', typ: 'JWT' })}`,
  'RS256 with a key of its own': `Bearer ${signedByKey()}`,
  'HS256 with a public key': `Bearer ${token(good, undefined, 'sha256', pem)}`,
  'wrong secret': `Bearer ${token(good, undefined, 'sha256', 'another secret of at least thirty-two letters')}`,
  'signature cut': `Bearer ${token(good).slice(0, -2)}`,
  'payload changed': `Bearer ${token(good).replace(/\.[^.]+\./, `.${part({ ...good, user_id: 8 })}.`)}`,
  'no user_id': `Bearer ${token({ exp: soon })}`,
  'user_id null': `Bearer ${token({ user_id: null, exp: soon })}`,
  'user_id 0': `Bearer ${token({ user_id: 0, exp: soon })}`,
  'user_id negative': `Bearer ${token({ user_id: -7, exp: soon })}`,
  'user_id text': `Bearer ${token({ user_id: '7', exp: soon })}`,
  'user_id float': `Bearer ${token({ user_id: 7.5, exp: soon })}`,
  'user_id true': `Bearer ${token({ user_id: true, exp: soon })}`,
  'user_id list': `Bearer ${token({ user_id: [7], exp: soon })}`,
  'user_id huge': `Bearer ${token({ user_id: 2 ** 31, exp: soon })}`,
  'a scope and no user': `Bearer ${token({ scope: 'reports:write', exp: soon })}`,
}

/** Authorization headers that open nothing for operators. */
const notOperators = Object.fromEntries(
  [
    good,
    { ...good, scope: 'operation' },
    { ...good, scope: 'operations:read Operations' },
    { ...good, scope: ['cases', 'operations '] },
    { ...good, scope: { operations: true } },
    { ...good, scopes: 'operations' },
    { user_id: '7', scope: 'operations', exp: soon },
    { user_id: null, scope: 'operations', exp: soon },
    { user_id: 0, scope: 'operations', exp: soon },
  ].map((claims) => [JSON.stringify(claims), `Bearer ${token(claims)}`]),
)

t.test('no wrong token opens any route, and none is repeated', async (t) => {
  const services = await testServices(t)
  const { caseId, sessionId } = await seedSession(services.db, 7)
  const all = await operations(services.url)
  t.ok(all.length >= 17, `${all.length} routes`)
  let sent = 0
  for (const operation of all) {
    const { opensTo } = operation
    const cases = Object.entries(wrong).filter(([name]) => !(opensTo === 'analysis' && name === 'a scope and no user'))
    if (opensTo === 'analysis')
      cases.push(['a user', `Bearer ${token(good)}`], ['both', `Bearer ${token({ ...good, scope: 'reports:write' })}`])
    else if (opensTo === 'operator') cases.push(...Object.entries(notOperators))
    else cases.push(['an operator', `Bearer ${token({ scope: 'operations', exp: soon })}`])
    for (const [name, authorization] of cases) {
      const response = await fetch(services.url + at(operation, caseId, sessionId), {
        method: operation.method,
        headers: { origin: 'http://localhost:3000', ...(authorization !== undefined && { authorization }) },
      })
      const text = await response.text()
      const label = `${operation.method} ${operation.path}: ${name}`
      if (response.status !== 401) t.fail(`${label} answered ${response.status} ${text}`)
      if (operation.method !== 'HEAD' && text !== '{"message":"access token is invalid","error_code":0}')
        t.fail(`${label}: ${text}`)
      if (response.headers.get('access-control-allow-origin') !== 'http://localhost:3000')
        t.fail(`${label}: no CORS header`)
      sent++
    }
  }
  t.comment(`${sent} requests`)
  t.ok(sent > 600)
})
