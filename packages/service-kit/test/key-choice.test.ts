/** Which key of a set verifies which token. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { authFrom, ConfigError, HttpSettings, LinkSettings, loadConfig } from '@playtherapy/service-kit'
import t from 'tap'
import { Type } from 'typebox'
import { ecPair, keyHost, keyServer, type Pair, signedBy } from './key-server.ts'
import { bearer, hmac, keyed, unsigned } from './support.ts'

const rsa = (kid: string, modulusLength: number, more: object = {}): Pair => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength })
  return { jwk: { ...publicKey.export({ format: 'jwk' }), kid, ...more }, privateKey, header: { alg: 'RS256', kid } }
}
const ed = (): Pair => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { jwk: { ...publicKey.export({ format: 'jwk' }), kid: 'ed' }, privateKey, header: { alg: 'EdDSA', kid: 'ed' } }
}
const user = { user_id: 7 }

t.test('a key verifies only what it is for', async (t) => {
  const [ec, long, short] = [ecPair('ec'), rsa('long', 2048), rsa('short', 1024)]
  const forOther = rsa('ps', 2048, { alg: 'PS256' })
  const edPair = ed()
  const [encrypts, operates] = [ecPair('enc', { use: 'enc' }), ecPair('ops', { key_ops: ['sign'] })]
  const verifies = ecPair('verifies', { use: 'sig', key_ops: ['verify'], alg: 'ES256', x5c: ['MIIB'], other: { a: 1 } })
  const leaked = ecPair('leaked')
  leaked.jwk = { ...leaked.privateKey.export({ format: 'jwk' }), kid: 'leaked' }
  const symmetric = {
    ...ecPair('oct'),
    jwk: { kty: 'oct', kid: 'oct', alg: 'HS256', k: 'eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg' },
  }
  const broken = { ...ecPair('broken'), jwk: { kty: 'EC', crv: 'P-256', x: 'AA', y: '!', kid: 'broken' } }
  const all = [ec, long, short, forOther, edPair, encrypts, operates, verifies, leaked, symmetric, broken]
  const server = await keyServer(t, ...all, { ...ecPair(), jwk: Object(null) }, { ...ecPair(), jwk: Object(7) })
  const { ask } = await keyHost(t, server)
  const edToken = (header: object = {}) => bearer({ ...edPair.header, ...header }, user, keyed(null, edPair.privateKey))
  for (const headers of [signedBy(ec), signedBy(long), signedBy(verifies), edToken()])
    t.match(await ask(headers), { status: 200 })
  const wrong: Record<string, Record<string, string>> = {
    'a short key': signedBy(short),
    'a key of another algorithm': signedBy(forOther),
    'a key that encrypts': signedBy(encrypts),
    'a key that only signs': signedBy(operates),
    'a private key that was published': signedBy(leaked),
    'a key that cannot be read': signedBy(broken),
    'a symmetric key': bearer({ alg: 'HS256', kid: 'oct' }, user, hmac('sha256', 'x'.repeat(32))),
    'a symmetric key, called asymmetric': bearer({ alg: 'ES256', kid: 'oct' }, user, hmac('sha256', 'x'.repeat(32))),
    'the id of another key': signedBy(ec, { kid: 'long' }),
    'the algorithm of another key': signedBy(ec, { alg: 'RS256' }),
    'a longer curve': signedBy(ec, { alg: 'ES384' }),
    'the algorithm of an elliptic key': signedBy(long, { alg: 'ES256' }),
    'an algorithm of Ed25519 with another key': edToken({ kid: 'ec' }),
    unsigned: bearer({ alg: 'none', kid: 'ec' }, user, unsigned),
    'unsigned, called signed': bearer({ alg: 'ES256', kid: 'ec' }, user, unsigned),
    'its own key in the header': signedBy(ecPair('ec'), { jwk: ecPair('ec').jwk }),
    'another key set in the header': signedBy(ecPair('ec'), { jku: server.url, x5u: server.url }),
    'an id that is no text': signedBy(ec, { kid: 7 }),
    'an id of null': signedBy(ec, { kid: null }),
    'a list of ids': signedBy(ec, { kid: ['ec'] }),
    'an id of objects': signedBy(ec, { kid: '__proto__' }),
    'an empty id': signedBy(ec, { kid: '' }),
    'an extension nobody knows': signedBy(ec, { crit: ['x'], x: 1 }),
    'no exp': signedBy(ec, {}, { exp: undefined }),
  }
  for (const [what, headers] of Object.entries(wrong)) t.match(await ask(headers), { status: 401 }, what)
  t.match(await ask(edToken()), { status: 200 })
})

t.test('a token without a key id is tried with the keys that fit', async (t) => {
  const keys = Array.from({ length: 5 }, () => ecPair())
  const [one = ecPair(), two = ecPair()] = keys
  const server = await keyServer(t, one)
  const { ask } = await keyHost(t, server, { cooldownMs: 0 })
  t.match(await ask(signedBy(one)), { status: 200 })
  t.match(await ask(signedBy(two)), { status: 401 })
  t.match(await ask(signedBy(one, { kid: 'any' })), { status: 401 }, 'an id that no key has')
  server.publish(one, two)
  for (const pair of [one, two]) t.match(await ask(signedBy(pair)), { status: 200 })
  server.publish(...keys)
  t.match(await ask(signedBy(ecPair())), { status: 401 })
  t.equal((await Promise.all(keys.map((pair) => ask(signedBy(pair))))).filter(({ status }) => status === 200).length, 4)
})

t.test('a large set works as a small one', async (t) => {
  const pairs = Array.from({ length: 2_000 }, (_, index) => ecPair(`key ${index}`))
  const [first = ecPair(), last = ecPair()] = [pairs[0], pairs.at(-1)]
  const server = await keyServer(t, ...pairs)
  const { ask } = await keyHost(t, server)
  for (const pair of [first, last]) t.match(await ask(signedBy(pair)), { status: 200 })
  t.match(await ask(signedBy(first, { kid: undefined })), { status: 200 }, 'one of the first that fit')
  t.match(await ask(signedBy(last, { kid: undefined })), { status: 401 })
})

t.test('the address is one of https, or of a host that is named, and no value is printed', async (t) => {
  const schema = Type.Object({ ...HttpSettings, ...LinkSettings })
  const valid = {
    JWT_ISSUER: 'https://sign-in',
    LINK_KEYS: `k:${'x'.repeat(32)}`,
    JWT_JWKS_URL: 'https://sign-in/jwks',
  }
  const faultOf = (env: NodeJS.ProcessEnv) => {
    try {
      authFrom(loadConfig(schema, { ...valid, ...env }))
    } catch (error) {
      if (error instanceof ConfigError) return error.message
    }
    return ''
  }
  t.equal(faultOf({}), '')
  t.match(authFrom(loadConfig(schema, valid)), { jwksUrl: valid.JWT_JWKS_URL, jwtIssuer: valid.JWT_ISSUER })
  for (const url of [
    'http://localhost:9/jwks',
    'http://127.0.0.1/a?b=c',
    'http://[::1]:8080',
    'https://a.example:8443/x',
  ]) {
    t.equal(faultOf({ JWT_JWKS_URL: url }), '', url)
  }
  t.equal(faultOf({ JWT_JWKS_URL: 'http://sign-in:8080/jwks', JWT_JWKS_INTERNAL_HOST: 'sign-in' }), '')
  const wrong = [
    'hunter2',
    'ftp://hunter2/',
    'http://hunter2/jwks',
    'https://hunter2:hunter2@host/',
    'https://hunter2/#x',
  ]
  for (const url of [
    ...wrong,
    'http://localhost.hunter2/',
    'https://',
    'https://hunter2:99999/',
    'http://127.0.0.1.hunter2/',
  ]) {
    const fault = faultOf({ JWT_JWKS_URL: url, JWT_JWKS_INTERNAL_HOST: 'sign-in' })
    t.match(fault, /^ {2}JWT_JWKS_URL (is not valid|must)/m, url)
    t.notMatch(fault, /hunter2/)
  }
  t.match(faultOf({ JWT_ISSUER: undefined }), /JWT_ISSUER is required with JWT_JWKS_URL/)
  t.match(faultOf({ LINK_KEYS: undefined }), /LINK_KEYS is required with JWT_JWKS_URL/)
  t.match(faultOf({ JWT_JWKS_URL: undefined }), /JWT_SECRET is required unless JWT_PUBLIC_KEY or JWT_JWKS_URL is set/)
})

t.test('a public key in the settings has to be as long as one of a set', async (t) => {
  const schema = Type.Object({ ...HttpSettings, ...LinkSettings })
  const read = (JWT_PUBLIC_KEY: string, more: NodeJS.ProcessEnv = {}) =>
    authFrom(loadConfig(schema, { LINK_KEYS: `k:${'x'.repeat(32)}`, JWT_PUBLIC_KEY, ...more }))
  const pemOf = ({ privateKey }: Pair) => createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  for (const pair of [rsa('long', 2048), ecPair(), ed()]) t.equal(read(pemOf(pair)).jwtPublicKey, pemOf(pair))
  const short = pemOf(rsa('short', 1024))
  const refusal = {
    name: 'ConfigError',
    message:
      'The configuration is not valid:\n  JWT_PUBLIC_KEY must be a key that can be read, and of RSA have 2048 bits or more',
  }
  for (const pem of [short, '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----'])
    t.throws(() => read(pem), refusal)
  const others = { JWT_JWKS_URL: 'https://sign-in/jwks', JWT_ISSUER: 'https://sign-in' }
  t.match(read(short, others), { jwksUrl: others.JWT_JWKS_URL }, 'beside a key set it is not used')
})
