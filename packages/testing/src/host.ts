import { createHost, type HostOptions } from '@playtherapy/service-kit/host'
import type { FastifyPluginAsync } from 'fastify'
import type { Teardown } from './database.ts'

/** Secret that test hosts verify tokens with. */
export const jwtSecret = 'a secret for tests only, of forty characters'

export interface TestHost {
  /** Base URL of the listening host. */
  url: string
  /** An Authorization header of this therapist. */
  as(userId: number): { authorization: string }
  /** An Authorization header with any claims; valid for a minute unless they say otherwise. */
  withClaims(claims: object): { authorization: string }
  /** Closes it before the test is over. */
  close(): Promise<void>
}

/**
 * A real host, built as in production, listening on a free port with the given apps; closed after the test. `options`
 * are for what a test cannot wait for.
 */
export async function testHost(
  t: Teardown,
  apps: FastifyPluginAsync,
  options: Pick<HostOptions, 'bodyMs'> = {},
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
    // fetch may have opened connections it never used; Node waits a minute for the first request of such a one.
    host.server.closeAllConnections()
    return host.close()
  })
  const url = await host.listen({ host: '127.0.0.1', port: 0 })
  const withClaims = (claims: object) => ({
    authorization: `Bearer ${host.jwt.sign({ exp: Math.floor(Date.now() / 1000) + 60, ...claims })}`,
  })
  return { url, withClaims, as: (userId) => withClaims({ user_id: userId }), close: () => host.close() }
}
