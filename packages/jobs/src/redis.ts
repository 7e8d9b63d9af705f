import { type BackendFactory, createRedisBackend, type IQueueBackend } from 'bullmq'
import { Cluster, Redis } from 'ioredis'

/** Half-open connections end after 15 s without a response; a worker's blocking read lasts 10 s at most. */
const common = { connectTimeout: 5_000, socketTimeout: 15_000, keepAlive: 10_000 }
const publishing = { ...common, commandTimeout: 5_000, maxRetriesPerRequest: 1 }
const consuming = { ...common, maxRetriesPerRequest: null }
const retryStrategy = (times: number) => Math.min(times * 100, 2_000)

export const speaksRedis = (protocol: string) => /^rediss?(\+(cluster|sentinel))?:$/.test(protocol)

/**
 * The options for a server that Sentinels name: `redis+sentinel://user:password@one,two,three:26379/NAME`, with the port
 * that all of them have. User and password are those of the server; TLS is for it and for the Sentinels.
 */
function sentinelsOf(url: URL) {
  const isSecure = url.protocol.startsWith('rediss')
  return {
    sentinels: url.hostname.split(',').map((host) => ({ host, port: Number(url.port || 26_379) })),
    name: decodeURIComponent(url.pathname.slice(1)),
    sentinelRetryStrategy: retryStrategy,
    // A server that is no longer the master of the others refuses what is written to it.
    reconnectOnError: ({ message }: Error): 2 | false => (message.startsWith('READONLY') ? 2 : false),
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(isSecure && { tls: {}, enableTLSForSentinelMode: true }),
  }
}

function openClient(address: string, options: typeof publishing | typeof consuming, enableOfflineQueue: boolean) {
  const url = new URL(address)
  if (url.protocol.includes('+sentinel')) {
    return new Redis({ ...options, ...sentinelsOf(url), retryStrategy, enableOfflineQueue })
  }
  if (!url.protocol.includes('+cluster')) return new Redis(address, { ...options, retryStrategy, enableOfflineQueue })
  return new Cluster([{ host: url.hostname, port: Number(url.port || 6379) }], {
    clusterRetryStrategy: retryStrategy,
    enableOfflineQueue,
    redisOptions: {
      ...options,
      ...(url.username && { username: decodeURIComponent(url.username) }),
      ...(url.password && { password: decodeURIComponent(url.password) }),
      ...(url.protocol.startsWith('rediss') && { tls: {} }),
    },
    // A certificate contains a node's name, so the name must not be replaced by its address.
    ...(url.protocol.startsWith('rediss') && { dnsLookup: (name, done) => done(null, name) }),
  })
}

/**
 * Opens two clients; BullMQ opens one more for each worker's blocking read. `redis:` and `rediss:` name one server,
 * `redis+cluster:` and `rediss+cluster:` any node of a cluster, `redis+sentinel:` and `rediss+sentinel:` Sentinels that name one.
 */
export function redisBackends(url: string, report: (error: Error) => void) {
  const clients = { publishing: openClient(url, publishing, false), consuming: openClient(url, consuming, true) }
  for (const client of Object.values(clients)) client.on('error', report)
  const backend =
    (connection: Redis | Cluster): BackendFactory<IQueueBackend, string> =>
    (name, options, kind) =>
      createRedisBackend(name, { ...options, connection }, kind)
  return {
    publishing: backend(clients.publishing),
    consuming: backend(clients.consuming),
    async close() {
      for (const client of Object.values(clients)) client.disconnect()
    },
  }
}
