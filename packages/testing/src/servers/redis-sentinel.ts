import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@playtherapy/embedded-postgres'
import { Redis } from 'ioredis'
import { type RunningRedis, startRedis } from './redis.ts'

/** The name of the master, and how many Sentinels have to agree that it is down. */
const [name, quorum] = ['clinic', 2]
/** Of loopback, so that all can have the same port. */
const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3']

interface RunningSentinels {
  /** The URL of a queue there. */
  url: string
  master: RunningRedis
  /** Takes the master's place when that is killed, a few seconds later. */
  replica: RunningRedis
  /** Lets the replica take the place of the master, which stays and becomes its replica. */
  failOver(): Promise<void>
  /** Kills the Sentinels, and no server. */
  kill(): Promise<void>
  /** Starts the Sentinels again, with what they knew. */
  restart(): void
  stop(): Promise<void>
}

/** Runs `ask` with a connection to a server. */
async function withRedis<T>({ url }: Pick<RunningRedis, 'url'>, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  try {
    return await ask(redis)
  } finally {
    redis.disconnect()
  }
}

/** Returns what a server says of its part in the replication: `role`, and for a replica `master_link_status`. */
export const replicationOf = (server: RunningRedis): Promise<Record<string, string>> =>
  withRedis(server, async (redis) => {
    const lines = (await redis.info('replication')).split('\r\n').filter((line) => line.includes(':'))
    return Object.fromEntries(lines.map((line) => line.split(':')))
  })

/** Deletes everything that a master holds. */
export const wipeRedis = (server: RunningRedis) => withRedis(server, (redis) => redis.flushall())

/** Starts a master and a replica, and three real Sentinels that watch them. */
export async function startRedisSentinels(directory: string): Promise<RunningSentinels> {
  const master = await startRedis(join(directory, 'master'))
  const masterPort = new URL(master.url).port
  const replica = await startRedis(join(directory, 'replica'))
  await withRedis(replica, async (redis) => {
    await redis.replicaof('127.0.0.1', masterPort)
    await redis.config('REWRITE')
  })
  const port = await freePort()
  const configuration = (host: string) => join(directory, host, 'sentinel.conf')
  await Promise.all(
    hosts.map(async (host) => {
      await mkdir(join(directory, host))
      const watched = [`monitor ${name} 127.0.0.1 ${masterPort} ${quorum}`, `down-after-milliseconds ${name} 1000`]
      const settings = ['protected-mode no', `bind ${host}`, `port ${port}`, `dir ${join(directory, host)}`]
      const lines = [...settings, ...[...watched, `failover-timeout ${name} 5000`].map((each) => `sentinel ${each}`)]
      await writeFile(configuration(host), `${lines.join('\n')}\n`)
    }),
  )
  const start = () =>
    hosts.map((host) => spawn('redis-server', [configuration(host), '--sentinel'], { stdio: 'ignore' }))
  let sentinels = start()
  const killAll = () => {
    for (const child of sentinels) child.kill('SIGKILL')
  }
  process.on('exit', killAll)
  const kill = async () => {
    const ended = sentinels.map((child) => once(child, 'exit'))
    killAll()
    await Promise.all(ended)
  }
  return {
    url: `redis+sentinel://${hosts.join()}:${port}/${name}`,
    master,
    replica,
    async failOver() {
      await withRedis({ url: `redis://${hosts[0]}:${port}` }, (redis) => redis.call('SENTINEL', 'FAILOVER', name))
    },
    kill,
    restart() {
      sentinels = start()
    },
    async stop() {
      await kill()
      await Promise.all([master.kill(), replica.kill()])
    },
  }
}
