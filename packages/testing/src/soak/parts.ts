/** The processes and the Redis that the soak kills. */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Program } from '@playtherapy/programs'
import { canSetClocks, ownClock } from '../clock.ts'
import { ownProcess } from '../processes.ts'
import type { Part } from '../servers/durable-postgres.ts'
import type { RunningRedis } from '../servers/redis.ts'
import { replicationOf, startRedisSentinels, wipeRedis } from '../servers/redis-sentinel.ts'
import { until } from '../until.ts'
import { type Release, runProgram } from './release.ts'

/** One of our own processes. */
export interface OwnPart extends Part {
  url: string
  /** Lets the clock of the process, and of the ffmpeg that it runs, differ from the right time while it runs. */
  setClock(seconds: number): Promise<void>
  /** Ends the process as an operator does, and starts that of another release in its place. */
  replace(release: Release): Promise<void>
}

/** Starts a process of a release, with a clock of its own in `directory` where clocks can be set. */
export async function ownPart(
  { name, program, release, directory }: { name: string; program: Program; release: Release; directory: string },
  env: NodeJS.ProcessEnv,
): Promise<OwnPart> {
  const clock = join(directory, `clock-${name.replace(' ', '-')}`)
  const setClock = async (seconds: number) => {
    await writeFile(`${clock}.new`, `${seconds < 0 ? '' : '+'}${seconds}`)
    await rename(`${clock}.new`, clock)
  }
  await setClock(0)
  const itsClock = { ...ownClock, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_CACHE_DURATION: '1' }
  let running = release
  const own = await ownProcess(program, { ...((await canSetClocks()) && itsClock), ...env }, () =>
    running.path(program),
  )
  const restart = () => own.restart().then(() => undefined)
  await restart()
  return {
    name,
    url: own.url,
    kill: own.kill,
    restart,
    setClock,
    async replace(next) {
      await own.kill('SIGTERM')
      running = next
      await restart()
    },
  }
}

/**
 * Starts a Redis with a replica, and Sentinels. A SIGKILL ends its master until the replica is promoted; after another signal the
 * master is restarted as soon as the caller likes. A server that comes back is a replica of the one that took its place. After half of
 * the restarts everything is deleted.
 */
export async function redisWithReplica(directory: string) {
  const sentinels = await startRedisSentinels(directory)
  const roleOf = (server: RunningRedis) => replicationOf(server).catch((): Record<string, string> => ({}))
  const servers = [sentinels.master, sentinels.replica]
  const masterNow = async () => {
    const links = await Promise.all(servers.map(roleOf))
    return servers.find((_, n) => links[n]?.role === 'master')
  }
  let killed = sentinels.master
  const part: Part = {
    name: 'Redis',
    async kill(signal) {
      killed = (await until('a master of Redis', masterNow)) ?? killed
      await killed.kill()
      if (signal === 'SIGKILL') await until('the promotion of the replica', masterNow)
    },
    async restart() {
      await killed.restart()
      // Sentinels need some seconds to make the old master a replica, or to see that there was no need for another one.
      let master: RunningRedis | undefined
      await until('one master with its replica', async () => {
        const links = await Promise.all(servers.map(roleOf))
        master = servers.find((_, n) => links[n]?.role === 'master')
        return master && links.some(({ master_link_status }) => master_link_status === 'up')
      })
      const what = master === killed ? 'restarted' : 'failed over'
      if (!master || Math.random() < 0.5) return `Redis ${what}`
      await wipeRedis(master)
      return `Redis ${what} and wiped`
    },
  }
  return { url: sentinels.url, part, stop: sentinels.stop }
}

/** Brings tables and bucket to a release, as an operator does. */
export async function prepare(release: Release, env: NodeJS.ProcessEnv): Promise<void> {
  await runProgram(release, 'migrate', env)
  await runProgram(release, 'prepare-bucket', env)
}
