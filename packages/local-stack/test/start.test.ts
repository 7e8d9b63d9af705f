import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '@playtherapy/embedded-postgres'
import { randomName, testBucket } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { publicAddress } from './support.ts'

const run = promisify(execFile)
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** Starts the stack as `npm start` does, in a process group of its own. */
function start(t: Test, args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, ['--import=tsx', main, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  t.teardown(() => child.exitCode === null && child.kill('SIGKILL'))
  const says = async (text: string) => {
    while (!output.includes(text)) {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${output}`)
      await sleep(50)
    }
  }
  return { child, says, output: () => output }
}

/** The processes below one, whatever their group. */
async function descendants(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid='])
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const below = (parent: number): number[] =>
    rows.filter(([, ppid]) => ppid === parent).flatMap(([child = 0]) => [child, ...below(child)])
  return below(pid)
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Patient: a process that is just being loaded on a busy machine sees only then that its parent has gone. */
async function remaining(pids: number[]): Promise<string> {
  const deadline = Date.now() + 60_000
  while (pids.some(alive) && Date.now() < deadline) await sleep(50)
  const left = pids.filter(alive)
  return left.length > 0 ? (await run('ps', ['-o', 'pid,stat,args', '-p', left.join()])).stdout : ''
}

const code = async (child: ChildProcess) => (child.exitCode !== null ? child.exitCode : (await once(child, 'exit'))[0])

t.test('the demo does the main job and leaves nothing behind', async (t) => {
  const sender = { JWT_AUDIENCE: 'clinic', JWT_ISSUER: 'sign-in' }
  const stack = start(t, ['--once', '--ephemeral', '--port', `${await freePort()}`], sender)
  t.equal(await code(stack.child), 0, stack.output())
  const claims = /Bearer \w+\.(\w+)\./.exec(stack.output())?.[1] ?? ''
  t.match(JSON.parse(`${Buffer.from(claims, 'base64url')}`), { user_id: 1, aud: 'clinic', iss: 'sign-in' })
  for (const step of [
    'original stored',
    'encoded and playing  1080×1920 H.264/AAC',
    'a range played back',
    'script saved',
    'captions for the video',
    '<v C>봐요, 제일 높아요!</v>',
    'interaction summary  2 utterances, 10 words, 2 turns',
  ]) {
    t.match(stack.output(), step)
  }
})

t.test('the same on Redis and S3', { skip: !process.env.TEST_REDIS_URL || !process.env.TEST_S3 }, async (t) => {
  const bucket = await testBucket()
  const stack = start(t, ['--once', '--ephemeral', '--port', `${await freePort()}`], {
    QUEUE_URL: process.env.TEST_REDIS_URL,
    QUEUE_PREFIX: `{${randomName()}}`,
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  })
  t.equal(await code(stack.child), 0, stack.output())
  for (const part of ['BullMQ on redis', 'objects    S3', 'encoded and playing']) t.match(stack.output(), part)
})

t.test('a rule that the object store does not know is named', { skip: !process.env.TEST_S3 }, async (t) => {
  const bucket = await testBucket()
  const stack = start(t, ['--no-demo', '--ephemeral', '--workers', '0', '--port', `${await freePort()}`], {
    S3_ENDPOINT: await publicAddress(t, bucket.endpoint ?? '', /\?lifecycle/),
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  })
  await stack.says('Ctrl-C stops everything')
  t.match(stack.output(), /by hand: lifecycle \(/)
  t.notMatch(stack.output(), 'CORS')
  stack.child.kill('SIGTERM')
  t.equal(await code(stack.child), 0)
})

t.test('Ctrl-C, which reaches the whole group, closes everything', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-start-'))
  // As root PostgreSQL runs as another user, which has to get through.
  await chmod(directory, 0o755)
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const args = ['--no-demo', '--data-dir', directory, '--port', `${await freePort()}`, '--workers', '2']
  for (const round of ['first', 'second']) {
    const stack = start(t, args)
    await stack.says('Ctrl-C stops everything')
    const pids = await descendants(stack.child.pid ?? 0)
    t.ok(pids.length >= 4, `${round}: workers and database are processes of their own`)
    process.kill(-(stack.child.pid ?? 0), 'SIGINT')
    t.equal(await code(stack.child), 0, stack.output())
    t.equal(await remaining(pids), '', `${round}: no process left`)
  }
})

t.test('children end when their parent is killed', async (t) => {
  const stack = start(t, ['--no-demo', '--ephemeral', '--port', `${await freePort()}`])
  await stack.says('Ctrl-C stops everything')
  const pids = await descendants(stack.child.pid ?? 0)
  stack.child.kill('SIGKILL')
  t.equal(await remaining(pids), '')
})

t.test('what cannot be understood, or cannot work, is said in words', async (t) => {
  const wrong = start(t, ['--port', 'many'])
  t.equal(await code(wrong.child), 2)
  t.match(wrong.output(), '--port takes a number from 1 to 65535')

  const blocker = createServer().listen(0, 'localhost')
  await once(blocker, 'listening')
  t.teardown(() => blocker.close())
  const address = blocker.address()
  const port = String(typeof address === 'object' ? address?.port : '')
  const taken = start(t, ['--no-demo', '--ephemeral', '--port', port])
  t.equal(await code(taken.child), 1)
  t.match(taken.output(), 'That port is taken')

  const keyed = start(t, ['--no-demo', '--ephemeral'], { JWT_PUBLIC_KEY: 'any' })
  t.equal(await code(keyed.child), 1)
  t.match(keyed.output(), 'JWT_PUBLIC_KEY is set, but `npm start` signs tokens of its own')

  const env = start(t, ['--help'])
  t.equal(await code(env.child), 0)
  t.match(env.output(), '--workers N')
})
