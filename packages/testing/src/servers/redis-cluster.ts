import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '@playtherapy/embedded-postgres'
import { type RunningRedis, startRedis } from './redis.ts'

const run = promisify(execFile)

/** Starts a cluster of three real redis-servers, each with a third of the keys. */
export async function startRedisCluster(directory: string): Promise<RunningRedis[]> {
  const nodes = await Promise.all(
    [0, 1, 2].map(async (number) => {
      // The default is 10,000 above the other port, which may be no valid port.
      const bus = ['--cluster-port', `${await freePort()}`]
      return startRedis(join(directory, `${number}`), ['--cluster-enabled', 'yes', ...bus])
    }),
  )
  const hosts = nodes.map(({ url }) => new URL(url).host)
  await run('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-yes'])
  for (const { url } of nodes) {
    while (!(await run('redis-cli', ['-u', url, 'cluster', 'info'])).stdout.includes('cluster_state:ok'))
      await sleep(50)
  }
  return nodes
}
