import type { SessionOfCaller } from '@playtherapy/schema'
import type { LinkPurpose } from '@playtherapy/service-kit'
import { createHost, type HostOptions } from '@playtherapy/service-kit/host'
import type { FastifyPluginAsync } from 'fastify'
import type { Teardown } from './database.ts'

/** The secret with which test hosts verify tokens. */
export const jwtSecret = 'a secret for tests only with forty characters'

export interface TestHost {
  /** The base URL of the listening host. */
  url: string
  /** Returns an Authorization header of this therapist. */
  as(userId: number): { authorization: string }
  /** Returns an Authorization header with these claims, valid for a minute unless they say otherwise. */
  withClaims(claims: object): { authorization: string }
  /** Returns the URL of a file by a signed link of this purpose. */
  linkTo(target: SessionOfCaller & { videoId?: number }, purpose: LinkPurpose, file: string): string
  /** Closes the host before the test is over. */
  close(): Promise<void>
}

/**
 * Builds a real host as in production, with the given apps, which listens on a free port. It is closed after the test.
 * `options` shorten times for which a test cannot wait, or name a gateway.
 */
export async function testHost(
  t: Teardown,
  apps: FastifyPluginAsync,
  options: Partial<Pick<HostOptions, 'bodyMs' | 'requestsPerMinute' | 'trustedProxy'>> = {},
): Promise<TestHost> {
  const host = await createHost({
    name: 'test',
    description: 'Test host',
    auth: { jwtSecret },
    corsOrigins: ['http://localhost:3000'],
    logLevel: 'silent',
    requestsPerMinute: 100_000,
    ready: {},
    apps,
    ...options,
  })
  t.teardown(() => {
    // fetch may have opened a connection that it never used, for whose first request Node would wait a minute.
    host.server.closeAllConnections()
    return host.close()
  })
  const url = await host.listen({ host: '127.0.0.1', port: 0 })
  const withClaims = (claims: object) => ({
    authorization: `Bearer ${host.jwt.sign({ exp: Math.floor(Date.now() / 1000) + 60, ...claims })}`,
  })
  return {
    url,
    withClaims,
    as: (userId) => withClaims({ user_id: userId }),
    linkTo: (target, purpose, file) => url + host.links.begin({ videoId: 0, ...target }).pathOf(purpose, file),
    close: () => host.close(),
  }
}
