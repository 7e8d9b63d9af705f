/** A server that publishes keys as a sign-in service does, and misbehaves when told to. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { requireTherapist } from '@playtherapy/service-kit'
import type { HostOptions } from '@playtherapy/service-kit/host'
import type { Teardown } from '@playtherapy/testing'
import type { KeySetTimes } from '../src/key-set.ts'
import { bearer, keyed, startHost } from './support.ts'

/** A key pair with the JWK of its public half, and what a token of it says. */
export interface Pair {
  jwk: object
  privateKey: KeyObject
  header: { alg: string; kid?: string }
}

/** A key of ES256 with this id; `more` are further members of its JWK. */
export function ecPair(kid?: string, more: object = {}): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const id = kid === undefined ? {} : { kid }
  return {
    jwk: { ...publicKey.export({ format: 'jwk' }), ...id, ...more },
    privateKey,
    header: { alg: 'ES256', ...id },
  }
}

/** The header Authorization of a token of therapist 7 that this pair signs. */
export const signedBy = (pair: Pair, header: object = {}, claims: object = {}) =>
  bearer({ ...pair.header, ...header }, { user_id: 7, ...claims }, keyed('sha256', pair.privateKey))

export interface KeyServer {
  url: string
  /** How many requests came. */
  readonly count: number
  publish(...pairs: Pair[]): void
  answer(listener: RequestListener): void
  /** Closes the port, as a server that is down. */
  stop(): Promise<void>
  start(): Promise<void>
}

export async function keyServer(t: Teardown, ...pairs: Pair[]): Promise<KeyServer> {
  let count = 0
  let listener: RequestListener = () => {}
  const server = createServer((request, response) => {
    count++
    listener(request, response)
  })
  const listen = (port: number) => once(server.listen(port, '127.0.0.1'), 'listening')
  const close = async () => {
    server.closeAllConnections()
    if (server.listening) await new Promise((closed) => server.close(closed))
  }
  await listen(0)
  t.teardown(close)
  const { port } = server.address() as AddressInfo
  const publish = (...all: Pair[]) => {
    const text = JSON.stringify({ keys: all.map(({ jwk }) => jwk) })
    listener = (_request, response) => response.end(text)
  }
  publish(...pairs)
  return {
    url: `http://127.0.0.1:${port}/jwks`,
    get count() {
      return count
    },
    publish,
    answer(other) {
      listener = other
    },
    stop: close,
    start: async () => {
      await listen(port)
    },
  }
}

/** A host that verifies by the key set of this server. Returns what it answers to a header Authorization. */
export async function keyHost(
  t: Teardown,
  { url }: KeyServer,
  jwksTimes: Partial<KeySetTimes> = {},
  options: Partial<HostOptions> = {},
) {
  const { url: own } = await startHost(t, {
    auth: { jwksUrl: url, jwksTimes, linkKeys: `k:${'x'.repeat(32)}` },
    apps: async (app) => {
      app.addHook('onRequest', requireTherapist)
      app.get('/therapist', ({ userId }) => ({ userId }))
    },
    ...options,
  })
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const { status, headers: answered } = await fetch(own + path, { headers })
    return { status, why: answered.get('www-authenticate') ?? '', retryAfter: answered.get('retry-after') }
  }
  return {
    ask: (headers?: Record<string, string>) => ask('/therapist', headers),
    ready: async () => (await ask('/health/ready')).status,
    /** The seconds of `token_keys_age_seconds`. */
    age: async () => {
      const text = await (await fetch(`${own}/metrics`)).text()
      return Number(/^token_keys_age_seconds (\S+)$/m.exec(text)?.[1])
    },
  }
}
