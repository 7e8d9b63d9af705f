import { createHmac, hkdfSync } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, get as openGet } from 'node:http'
import {
  type AuthSettings,
  authFrom,
  ConfigError,
  HttpSettings,
  LinkSettings,
  loadConfig,
  requireLink,
  requireTherapist,
} from '@playtherapy/service-kit'
import { jwtSecret, type Teardown } from '@playtherapy/testing'
import t from 'tap'
import { Type } from 'typebox'
import { createLinks, type LinkPurpose } from '../src/links.ts'
import { good, hmac, startHost } from './support.ts'

const target = { userId: 7, caseId: 12, sessionId: 34, videoId: 56 }
const secrets = ['a', 'b', 'c'].map((letter) => letter.repeat(40))
const keyed = (...ids: number[]) => ({ linkKeys: ids.map((id) => `k${id}:${secrets[id]}`).join(',') })

/** The token of a link that these settings make. */
function tokenOf(auth: AuthSettings, purpose: LinkPurpose = 'mp4') {
  const path = createLinks(auth).begin(target).pathOf(purpose, 'video.mp4')
  return path.split('/').at(-2) ?? ''
}

/** A host with a route for links of two purposes; returns a function that opens a token there. */
async function linkHost(t: Teardown, auth: AuthSettings) {
  const { url } = await startHost(t, {
    auth,
    apps: async (root) => {
      root.get(
        '/links/:token/file',
        { onRequest: requireLink('mp4', 'hls') },
        ({ userId, caseId, sessionId, videoId }) => ({
          userId,
          caseId,
          sessionId,
          videoId,
        }),
      )
    },
  })
  return async (token: string, headers: Record<string, string> = {}) => {
    // Unlike fetch it sends a path as it is.
    const request = openGet(`${url}/links/${token}/file`, { headers, agent: false })
    const [response]: IncomingMessage[] = await once(request, 'response')
    let text = ''
    for await (const chunk of response ?? []) text += chunk
    return { status: response?.statusCode, body: JSON.parse(text), headers: response?.headers }
  }
}

const opened = { status: 200, body: target }
const refused = { status: 404, body: { message: 'This link opens nothing, or nothing any more', error_code: 404 } }

t.test('a link opens its session for its therapist, whatever the header Authorization says', async (t) => {
  const auth = { jwtSecret }
  const open = await linkHost(t, auth)
  t.match(await open(tokenOf(auth)), opened)
  t.match(await open(tokenOf(auth, 'hls')), opened)
  for (const headers of [good(8), { authorization: 'Bearer undefined' }, { authorization: '' }]) {
    t.match(await open(tokenOf(auth), headers), opened)
  }
  const { headers } = await open(tokenOf(auth), { origin: 'http://localhost:3000' })
  t.match(headers, {
    'access-control-allow-origin': 'http://localhost:3000',
    'cross-origin-resource-policy': 'cross-origin',
    'referrer-policy': 'no-referrer',
  })
})

t.test('every other token gets the same answer', async (t) => {
  const auth = { jwtSecret }
  const open = await linkHost(t, auth)
  const token = tokenOf(auth)
  const [payload = '', signature = ''] = token.split('.')
  const text = Buffer.from(payload, 'base64url').toString()
  const encoded = (changed: string) => Buffer.from(changed).toString('base64url')
  const derived = Buffer.from(hkdfSync('sha256', jwtSecret, '', 'playtherapy signed links', 32))
  const signed = (changed: string, key: Buffer | string = derived) =>
    `${encoded(changed)}.${createHmac('sha256', key).update(encoded(changed)).digest('base64url')}`
  t.equal(signed(text), token, 'this test can sign')
  const bad: Record<string, string> = {
    'another purpose': tokenOf(auth, 'poster'),
    expired: tokenOf({ jwtSecret, linkSeconds: 0 }),
    'another secret': tokenOf({ jwtSecret: `${jwtSecret}x` }),
    'a key that is not known': tokenOf(keyed(0)),
    'another therapist': `${encoded(text.replace(':7:', ':8:'))}.${signature}`,
    'another session': `${encoded(text.replace(':34:', ':35:'))}.${signature}`,
    'another recording': `${encoded(text.replace(':56:', ':57:'))}.${signature}`,
    'no recording': signed(text.replace(':56:', ':')),
    'a later end': `${encoded(text.replace(/\d$/, (digit) => `${digit}0`))}.${signature}`,
    'signed with the secret itself': signed(text, jwtSecret),
    'signed with nothing': signed(text, ''),
    'no signature': `${payload}.`,
    'no dot': payload,
    'a signature cut short': token.slice(0, -1),
    'a longer signature': `${token}A`,
    'a third part': `${token}.${signature}`,
    'a payload in padded base64': `${payload}=.${signature}`,
    'the payload as text': `${text}.${signature}`,
    'more in the payload': signed(`${text}:x`),
    'a purpose of objects': signed(text.replace('mp4', 'constructor')),
    'a key of objects': signed(text.replace('jwt', '__proto__')),
    'an end that is no number': signed(text.replace(/\d+$/, 'x')),
    'a negative therapist': signed(text.replace(':7:', ':-7:')),
    'letters of other scripts': `${payload}.${encodeURIComponent('가'.repeat(43))}`,
    'a long one': `${'a'.repeat(8_000)}.${signature}`,
    'almost nothing': '-.-',
    'a NUL': '%00',
    'the token of a therapist': good().authorization?.slice(7) ?? '',
    'a JWT with the claims of a link': (() => {
      const input = `${encoded('{"alg":"HS256"}')}.${encoded(text)}`
      return `${input}.${hmac('sha256', jwtSecret)(input)}`
    })(),
  }
  for (const [what, other] of Object.entries(bad)) {
    const { headers, ...answer } = await open(other)
    t.same(answer, refused, what)
    t.notOk(headers?.['www-authenticate'], what)
  }
  t.match((await open('%E0%A4%A')).status, 422, 'a URL that cannot be decoded')
})

t.test('links count among the requests of their therapist, and forged ones among nobody’s', async (t) => {
  const auth = { jwtSecret }
  const { url } = await startHost(t, {
    auth,
    requestsPerMinute: 3,
    apps: async (root) => {
      root.get('/links/:token/file', { onRequest: requireLink('mp4') }, () => ({}))
      root.get('/own', { onRequest: requireTherapist }, () => ({}))
    },
  })
  const status = async (path: string, headers = {}) => (await fetch(url + path, { headers })).status
  for (let forged = 0; forged < 5; forged++) t.equal(await status(`/links/${tokenOf({ jwtSecret: 'x' })}/file`), 404)
  t.equal(await status('/own', good()), 200)
  for (const wanted of [200, 200, 429]) t.equal(await status(`/links/${tokenOf(auth)}/file`), wanted)
  t.equal(await status('/own', good(8)), 200)
})

t.test('keys are rotated by their ids: the first signs, all verify', async (t) => {
  const open = await linkHost(t, { ...keyed(1, 0), jwtSecret })
  t.match(await open(tokenOf(keyed(1))), opened, 'the first')
  t.match(await open(tokenOf(keyed(0))), opened, 'the one before')
  t.match(await open(tokenOf(keyed(2))), refused)
  t.match(await open(tokenOf({ linkKeys: `k1:${secrets[0]}` })), refused, 'the id of another key')
  t.match(await open(tokenOf({ jwtSecret })), refused, 'the secret of JWTs derives none beside keys of links')
  t.match(Buffer.from(tokenOf(keyed(1, 0)), 'base64url').toString('latin1'), /^k1:/)
})

t.test('a link of the secret of JWTs outlives the change of that secret', async (t) => {
  const [older = '', newer = ''] = secrets
  const before = tokenOf({ jwtSecret: older })
  const changing = { jwtSecret: `${newer},${older}` }
  const open = await linkHost(t, changing)
  t.match(await open(before), opened, 'made before')
  t.match(await open(tokenOf({ jwtSecret: `${older},${newer}` })), opened, 'made where the old secret still signs')
  t.match(await open(tokenOf({ jwtSecret: newer })), opened, 'made where the new one is alone already')
  t.equal(tokenOf(changing), tokenOf({ jwtSecret: newer }), 'the first one signs')
  const after = await linkHost(t, { jwtSecret: newer })
  t.match(await after(before), refused)
  t.match(await after(tokenOf(changing)), opened)
})

t.test('with a public key for JWTs and no keys of links there are none', async (t) => {
  const links = createLinks({ jwtPublicKey: 'x', jwtSecret })
  t.throws(() => links.begin(target), /no key/)
  t.equal(links.read(tokenOf({ jwtSecret }), ['mp4']), undefined)
})

t.test('the settings of links are checked, and no value is printed', async (t) => {
  const schema = Type.Object({ ...HttpSettings, ...LinkSettings })
  const read = (env: NodeJS.ProcessEnv) => loadConfig(schema, { JWT_SECRET: jwtSecret, ...env })
  const faultOf = (env: NodeJS.ProcessEnv) => {
    try {
      read(env)
    } catch (error) {
      if (error instanceof ConfigError) return error.message
    }
    return ''
  }
  t.match(read({}), { LINK_SECONDS: 21_600 })
  const fine = [keyed(0), keyed(0, 1), { linkKeys: `2026-11_a:${'x:/+='.repeat(8)}` }]
  for (const { linkKeys } of fine) t.match(read({ LINK_KEYS: linkKeys }), { LINK_KEYS: linkKeys })
  const [first = ''] = secrets
  const wrong = ['short:secret', first, `:${first}`, `a b:${first}`, `a:${first},`, `a:${first},b`, `a:${first} x`]
  for (const keys of [...wrong, `a:${first},a:${secrets[1]}`, `a:${first},b:${first},a:${first}`]) {
    const message = faultOf({ LINK_KEYS: keys })
    t.match(message, /LINK_KEYS/, keys)
    t.notMatch(message, first, keys)
  }
  for (const seconds of ['0', '59', '604801', '1.5', '6h']) t.match(faultOf({ LINK_SECONDS: seconds }), /LINK_SECONDS/)
  const JWT_PUBLIC_KEY = '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----'
  t.match(
    faultOf({ JWT_PUBLIC_KEY, LINK_SECONDS: '0' }),
    /LINK_KEYS is required with JWT_PUBLIC_KEY[\s\S]*LINK_SECONDS/,
  )
  t.equal(faultOf({ JWT_PUBLIC_KEY, LINK_KEYS: keyed(0).linkKeys }), '')
  const { linkKeys } = keyed(1, 0)
  const set = authFrom(read({ LINK_KEYS: linkKeys, LINK_SECONDS: '60' }))
  t.match(set, { linkKeys, linkSeconds: 60 })
  const left = createLinks(set).begin(target).expiresAt.getTime() - Date.now()
  t.ok(left > 55_000 && left <= 60_000, 'a minute')
})
