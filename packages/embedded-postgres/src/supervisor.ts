/** The process that runs one PostgreSQL server, see index.ts. Its arguments are the directory and then the settings. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { binaries, identity, reachableDirectory } from './binaries.ts'
import { freePort } from './free-port.ts'

// A terminal sends its signals to all processes. The parent decides when the database stops.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})

const [directory = '', ...settings] = process.argv.slice(2)
let server: ChildProcess | undefined
let leaving = false

process.on('disconnect', () => {
  leaving = true
  if (server) server.kill('SIGINT')
  else process.exit()
})

/** Runs a program to its end. Rejects with the end of its output if it fails. */
async function run(program: string, args: string[]): Promise<void> {
  const child = spawn(program, args, { ...identity, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(output.slice(-2000))
}

/** Makes the cluster beside its final place and then moves it there, so that no half-made cluster is left after a kill. */
async function initialise(bin: string, home: string, data: string): Promise<void> {
  const unfinished = join(home, 'unfinished')
  const password = join(home, 'password')
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  await writeFile(password, randomBytes(24).toString('hex'), { mode: 0o600 })
  if (identity.uid !== undefined) {
    await chown(unfinished, identity.uid, identity.gid)
    await chown(password, identity.uid, identity.gid)
  }
  await run(join(bin, 'initdb'), [
    `--pgdata=${unfinished}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${password}`,
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
  ])
  await rename(unfinished, data)
}

async function start(): Promise<string> {
  const home = await reachableDirectory(directory)
  const bin = join(await binaries(), 'bin')
  const data = join(home, 'data')
  await mkdir(home, { recursive: true })
  if (identity.uid !== undefined) await chown(home, identity.uid, identity.gid)
  if (!(await stat(join(data, 'PG_VERSION')).catch(() => undefined))) await initialise(bin, home, data)
  const port = await freePort()
  const flags = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    ...settings,
  ]
  server = spawn(join(bin, 'postgres'), ['-D', data, ...flags.flatMap((flag) => ['-c', flag])], {
    ...identity,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  const ready = new Promise<void>((resolve, reject) => {
    server?.stderr?.on('data', (text) => {
      output = (output + text).slice(-4000)
      if (output.includes('ready to accept connections')) resolve()
    })
    server?.once('error', reject)
    server?.once('exit', () => {
      if (leaving) process.exit()
      reject(new Error(output))
    })
  })
  await ready
  server.once('exit', () => process.exit(leaving ? 0 : 1))
  const password = await readFile(join(home, 'password'), 'utf8')
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
}

start().then(
  (url) => process.send?.({ url }),
  (error: Error) => {
    process.send?.({ error: error.message })
    process.exitCode = 1
    server?.kill('SIGKILL')
  },
)
