/** What stands in for `docker` while the runbook is followed: it does to the processes of the stack what Compose does to containers. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Program, programPath } from '@playtherapy/programs'
import { roleUrls } from '../database.ts'
import type { Container } from './processes.ts'
import type { Stack } from './stack.ts'

/** Runs a program to its end, and returns all that it wrote. */
const output = (program: string, args: string[], env: NodeJS.ProcessEnv = process.env) =>
  new Promise<string>((resolve) => {
    execFile(program, args, { env, timeout: 60_000, maxBuffer: 2 ** 26 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })

const seconds = (since: string | undefined) => {
  const [, number, unit] = /^(\d+)([hm])$/.exec(since ?? '') ?? []
  return number ? Number(number) * (unit === 'h' ? 3_600 : 60) : Number.POSITIVE_INFINITY
}

/** The commands that the runbook runs in the container of a worker. */
const commands: Record<string, Program> = {
  'programs/jobs.mjs': 'jobs',
  'programs/audit.mjs': 'audit',
  'programs/sweep-orphans.mjs': 'sweep-orphans',
}

/** Takes the value of an option out of the arguments. */
function take(args: string[], option: string): string[] {
  const found: string[] = []
  for (let at = args.indexOf(option); at >= 0; at = args.indexOf(option)) found.push(...args.splice(at, 2).slice(1))
  return found
}

function composeOf(stack: Stack) {
  const { containers, database, redis, s3, bucket } = stack
  const servers: Record<string, { restart(): Promise<unknown>; kill(): Promise<unknown> }> = {
    postgres: { restart: database.part.restart, kill: () => database.part.kill('SIGKILL') },
    redis: { ...redis },
    s3: { ...s3 },
  }
  const named = (name: string) =>
    Object.entries(containers)
      .filter(([each]) => each === name || each.startsWith(`${name}-`))
      .map(([, each]) => each)
  const ours = (names: string[]) =>
    (names.length > 0 ? names : ['contents', 'media', 'script', 'worker']).flatMap(named)
  const running = (name: string): Container => {
    const found = named(name).find((each) => each.state() === 'Up') ?? named(name)[0]
    if (!found) throw new Error(`there is no service ${name}`)
    return found
  }
  const up = async (args: string[]) => {
    const scales = new Map(take(args, '--scale').map((each) => [each.split('=')[0] ?? '', Number(each.split('=')[1])]))
    const names = args.filter((each) => !each.startsWith('-'))
    for (const name of new Set([...names, ...scales.keys()])) {
      for (const each of named(name).slice(0, scales.get(name) ?? 1)) await each.start()
    }
    if (names.includes('gateway')) await stack.gateway.start()
    await stack.showTargets()
    return 'Started\n'
  }
  const restart = async (names: string[]) => {
    for (const name of names) {
      const server = servers[name]
      if (server) {
        // One that is dead already has nothing that could end.
        await Promise.race([server.kill().catch(() => undefined), sleep(3_000)])
        await server.restart()
      }
      for (const each of named(name).filter(({ isWanted }) => isWanted)) {
        await each.stop()
        await each.start()
      }
    }
    await stack.showTargets()
    return 'Restarted\n'
  }
  const exec = (args: string[]): Promise<string> => {
    const [service = '', program = '', ...rest] = args
    if (program === 'psql') return output('psql', [database.url, ...rest.slice(2)])
    if (program === 'redis-cli') return output('redis-cli', ['-u', redis.url, ...rest])
    const { env, port } = running(service)
    if (program === 'node' && rest[0] === '-e') {
      return output(
        'node',
        rest.map((each) => each.replace('127.0.0.1:8080', `127.0.0.1:${port}`)),
      )
    }
    if (program === 'node') return output('node', [fileOf(rest[0]), ...rest.slice(1)], env)
    if (program === 'df')
      return output(
        'df',
        rest.map((each) => each.replace('/scratch', stack.scratch)),
      )
    return Promise.resolve(`${program} stands for nothing here\n`)
  }
  const fileOf = (path = '') => programPath(commands[path] ?? 'jobs')
  const run = (service: string) => {
    const urls = roleUrls(database.url)
    const roles = Object.fromEntries(
      Object.entries(urls).map(([role, url]) => [`${role.toUpperCase()}_DATABASE_URL`, url]),
    )
    const store = { S3_ENDPOINT: bucket.endpoint, S3_BUCKET: bucket.bucket }
    const keys = { S3_ACCESS_KEY_ID: bucket.accessKeyId, S3_SECRET_ACCESS_KEY: bucket.secretAccessKey }
    const env = { ...process.env, DATABASE_URL: database.url, ...roles, ...store, ...keys }
    return output('node', [programPath(service === 'migrate' ? 'migrate' : 'prepare-bucket')], env)
  }
  return async ([group = '', command = '', ...args]: string[]): Promise<string> => {
    if (group === 'stats') return output('ps', ['-o', 'pid,pcpu,pmem,etimes,args', '--sort=-pcpu', '-e'])
    if (group !== 'compose') return `${group} stands for nothing here\n`
    if (command === 'ps') {
      const names = args.filter((each) => !each.startsWith('-'))
      const shown = Object.entries({ ...containers, gateway: stack.gateway }).filter(
        ([name]) => names.length === 0 || names.some((each) => name.startsWith(each)),
      )
      return shown.map(([name, each]) => `${name} ${each.state()}\n`).join('')
    }
    if (command === 'logs') {
      const from = seconds(take(args, '--since')[0])
      const tail = Number(take(args, '--tail')[0] ?? Number.POSITIVE_INFINITY)
      // Replicas write to one file here.
      const first = args.map((name) => named(name)[0]).filter((each) => each !== undefined)
      const lines = await Promise.all(first.map((each) => each.log(from)))
      return `${lines.flatMap((each) => each.slice(-tail)).join('\n')}\n`
    }
    if (command === 'up') return up(args)
    if (command === 'restart') return restart(args)
    if (command === 'stop') {
      for (const each of ours(args)) await each.stop()
      await stack.showTargets()
      return 'Stopped\n'
    }
    if (command === 'exec') return exec(args.filter((each) => each !== '-T'))
    if (command === 'run') return run(args.at(-1) ?? '')
    return `${command} stands for nothing here\n`
  }
}

/** Returns a function that runs a command of the runbook, by a shell in which `docker` is ours, and returns what it prints. */
export async function openShell(stack: Stack) {
  const compose = composeOf(stack)
  const server = createServer(async (request, response) => {
    const args = (await text(request)).split('\0').slice(0, -1)
    response.end(await compose(args).catch((error: unknown) => `${error}\n`))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const bin = join(stack.directory, 'bin')
  await mkdir(bin)
  const docker = `#!/bin/sh\nprintf '%s\\0' "$@" | curl -sS --data-binary @- http://127.0.0.1:${port}/\n`
  await writeFile(join(bin, 'docker'), docker, { mode: 0o755 })
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
  return { run: (command: string) => output('bash', ['-c', command], env), close: () => server.close() }
}
