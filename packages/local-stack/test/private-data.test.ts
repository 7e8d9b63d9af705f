import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '@playtherapy/embedded-postgres'
import { sourceOptions } from '@playtherapy/testing'
import t, { type Test } from 'tap'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const isRoot = process.getuid?.() === 0

/** `npm start` with these arguments; resolves when it is up, or has ended with what it said. */
async function start(t: Test, directory: string, args: string[]): Promise<{ child: ChildProcess; output: string }> {
  const port = ['--port', String(await freePort())]
  const child = spawn(process.execPath, [...sourceOptions, main, '--no-demo', '--workers', '0', ...port, ...args], {
    env: { ...process.env, NO_COLOR: '1', TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.exitCode === null && child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const ended = once(child, 'exit')
  while (!output.includes('Ctrl-C') && child.exitCode === null) await Promise.race([once(child.stdout, 'data'), ended])
  return { child, output }
}

async function stop(child: ChildProcess) {
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

/** A folder as open as /tmp. */
async function openFolder(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-private-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o1777)
  return folder
}

/** Everything of ours that others may read or list, or write to. PostgreSQL guards its own folder, as another user. */
async function openTo(folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('find', [
    folder,
    '-name',
    'postgres',
    '-prune',
    '-o',
    '-perm',
    '/066',
    '-print',
  ])
  return stdout.split('\n').filter(Boolean)
}

t.test('what npm start keeps is for nobody else, where it was open before too', async (t) => {
  const folder = await openFolder(t)
  const data = join(folder, 'data')
  await mkdir(join(data, 'objects'), { recursive: true })
  await writeFile(join(data, 'jwt-secret'), 'a'.repeat(64), { mode: 0o644 })
  for (const path of [data, join(data, 'objects')]) await chmod(path, 0o755)
  const { child, output } = await start(t, folder, ['--data-dir', data])
  t.match(output, 'is up')
  t.strictSame(await openTo(data), [])
  t.equal((await stat(join(data, 'postgres', 'data'))).mode & 0o077, 0, 'PostgreSQL keeps its own folder closed')
  await stop(child)
})

t.test('--ephemeral uses a new private folder and deletes it at the end', async (t) => {
  const folder = await openFolder(t)
  const { child } = await start(t, folder, ['--ephemeral'])
  // Its name cannot be known beforehand: the process id is not enough.
  t.equal(await stat(join(folder, `playtherapy-${child.pid}`)).catch(() => 'none'), 'none')
  t.strictSame(
    await openTo(join(folder, (await readdir(folder)).find((name) => name.startsWith('playtherapy-')) ?? '')),
    [],
  )
  await stop(child)
  t.strictSame(
    (await readdir(folder)).filter((name) => name.startsWith('playtherapy-')),
    [],
  )
})

t.test("another user's folder is not used", { skip: !isRoot && 'only root can make one' }, async (t) => {
  const folder = await openFolder(t)
  const planted = join(folder, 'data')
  await mkdir(planted)
  await writeFile(join(planted, 'jwt-secret'), 'known to another user, who could sign tokens')
  await chown(planted, 65_534, 65_534)
  const { child, output } = await start(t, folder, ['--data-dir', planted])
  t.match(output, 'belongs to another user')
  t.equal(child.exitCode, 1)
  t.strictSame(await readdir(planted), ['jwt-secret'])
})
