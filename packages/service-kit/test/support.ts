import { createHmac, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createHost, type HostOptions } from '@playtherapy/service-kit/host'
import { jwtSecret, type Teardown } from '@playtherapy/testing'

/** A listening host with these settings; closed after the test. */
export async function startHost(t: Teardown, options: Partial<HostOptions>) {
  const host = await createHost({
    name: 'test',
    description: 'Test host',
    auth: { jwtSecret },
    corsOrigins: ['http://localhost:3000', 'https://clinic.example'],
    logLevel: 'silent',
    ready: {},
    requestsPerMinute: 100_000,
    apps: async () => {},
    ...options,
  })
  t.teardown(() => host.close())
  return { host, url: await host.listen({ host: '127.0.0.1', port: 0 }) }
}

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const inAMinute = () => Math.floor(Date.now() / 1000) + 60

type Signer = (input: string) => string
export const hmac =
  (hash: string, secret: string): Signer =>
  (input) =>
    createHmac(hash, secret).update(input).digest('base64url')
export const keyed =
  (hash: string | null, key: KeyObject): Signer =>
  (input) =>
    sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
export const unsigned: Signer = () => ''

/** An Authorization header made by hand: any header, any claims, any signature. */
export function bearer(header: object, claims: object, signed: Signer): Record<string, string> {
  const input = `${encoded(header)}.${encoded({ exp: inAMinute(), ...claims })}`
  return { authorization: `Bearer ${input}.${signed(input)}` }
}

/** An Authorization header of this therapist. */
export const good = (userId = 7) => bearer({ alg: 'HS256', typ: 'JWT' }, { user_id: userId }, hmac('sha256', jwtSecret))

/** Everything a server answers to these bytes until it closes the connection. */
export async function rawExchange(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  socket.write(bytes)
  await once(socket, 'close')
  return text
}
