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
import { randomName, sourceOptions, testBucket } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { publicAddress } from './support.ts'

const run = promisify(execFile)
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** Starts the stack as `npm start` does, in a process group of its own. */
function start(t: Test, args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [...sourceOptions, main, ...args], {
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

/** What the demo tells of the main job. */
const steps = [
  'upload cut in the middle',
  'original stored',
  'encoded and playing  1080×1920 H.264/AAC',
  'playable after ',
  'finished after ',
  'links that need no token  mp4, hls',
  'a range played back',
  'script saved',
  'captions for the video',
  '<v C>봐요, 제일 높아요!</v>',
  'interaction summary  2 utterances, 10 words, 2 turns',
]

t.test('the demo does the main job, on Redis and S3 where they run, and leaves nothing behind', async (t) => {
  const sender = { JWT_AUDIENCE: 'clinic', JWT_ISSUER: 'sign-in' }
  const queue = process.env.TEST_REDIS_URL
  const bucket = process.env.TEST_S3 ? await testBucket() : undefined
  const stack = start(t, ['--once', '--ephemeral', '--port', `${await freePort()}`], {
    ...sender,
    ...(queue && { QUEUE_URL: queue, QUEUE_PREFIX: `{${randomName()}}` }),
    ...(bucket && {
      S3_ENDPOINT: bucket.endpoint,
      S3_BUCKET: bucket.bucket,
      S3_ACCESS_KEY_ID: bucket.accessKeyId,
      S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    }),
  })
  t.equal(await code(stack.child), 0, stack.output())
  t.notMatch(stack.output(), /Open this link|TOKEN=|http:\/\/localhost/, 'nothing that is closed by now')
  for (const step of steps) t.match(stack.output(), step)
  if (queue) t.match(stack.output(), 'BullMQ on redis')
  if (bucket) t.match(stack.output(), 'objects    S3')
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

t.test('links that are printed open, and requests work as they are printed', async (t) => {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const args = ['--no-demo', '--ephemeral', '--workers', '0', '--port', `${port}`]
  const stack = start(t, args, { JWT_AUDIENCE: 'clinic', JWT_ISSUER: 'sign-in' })
  await stack.says('Ctrl-C stops everything')
  const signIn = /^ +(http\S+)\/#token=(\S+)$/m.exec(stack.output()) ?? []
  const page = /(?<=API page +)http\S+/.exec(stack.output())?.[0]
  t.strictSame([signIn[1], page], [url, `${url}/documentation`])
  for (const link of [url, `${url}/documentation`]) {
    const opened = await fetch(link)
    t.match(opened, { status: 200 })
    t.match(opened.headers.get('content-type'), 'text/html')
  }
  const { exp, iat } = JSON.parse(`${Buffer.from(signIn[2]?.split('.')[1] ?? '', 'base64url')}`)
  t.equal(exp - iat, 3_600, 'the link signs in for an hour')
  const token = /^TOKEN=(\S+)$/m.exec(stack.output())?.[1] ?? ''
  const request = /^curl -H "Authorization: Bearer \$TOKEN" (\S+)$/m.exec(stack.output())?.[1] ?? ''
  t.match(await fetch(request, { headers: { authorization: `Bearer ${token}` } }), { status: 200 })
  const claims = JSON.parse(`${Buffer.from(token.split('.')[1] ?? '', 'base64url')}`)
  t.match(claims, { user_id: 1, aud: 'clinic', iss: 'sign-in' })

  const [, username = '', password = ''] = /sign in +(\S+), password (\S+)/.exec(stack.output()) ?? []
  const body = new URLSearchParams({ username, password })
  const signedIn = await fetch(`${url}/auth/api/signin`, { method: 'POST', body })
  const { access_token } = Object(await signedIn.json())
  t.match(await fetch(request, { headers: { authorization: `Bearer ${access_token}` } }), { status: 200 })
  stack.child.kill('SIGTERM')
  t.equal(await code(stack.child), 0)
})

t.test(
  'a later start reuses the case of the demo; Ctrl-C, which reaches the whole group, closes everything',
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'playtherapy-start-'))
    // As root PostgreSQL runs as another user, which has to get through.
    await chmod(directory, 0o755)
    t.teardown(() => rm(directory, { recursive: true, force: true }))
    const args = ['--data-dir', directory, '--port', `${await freePort()}`, '--workers', '2']
    for (const round of ['first', 'second']) {
      const stack = start(t, args)
      await stack.says('Ctrl-C stops everything')
      const told = round === 'first' ? steps : ['case and session of an earlier start']
      for (const step of told) t.match(stack.output(), step)
      t.match(stack.output(), 'everything read again  1 case; encoding 3, script 3')
      const link = /watch +(http\S+\/video\.mp4)/.exec(stack.output())?.[1] ?? ''
      const played = await fetch(link, { headers: { range: 'bytes=0-7' } })
      t.match([played.status, played.headers.get('content-type')], [206, 'video/mp4'])
      if (round === 'second') {
        t.notMatch(stack.output(), 'original stored')
        const again = start(t, ['--no-demo', '--data-dir', directory, '--port', `${await freePort()}`])
        t.equal(await code(again.child), 1)
        t.match(again.output(), `PlayTherapy is already running on the data in ${directory}`)
      }
      const pids = await descendants(stack.child.pid ?? 0)
      t.ok(pids.length >= 4, `${round}: workers and database are processes of their own`)
      process.kill(-(stack.child.pid ?? 0), 'SIGINT')
      t.equal(await code(stack.child), 0, stack.output())
      t.equal(await remaining(pids), '', `${round}: no process left`)
    }
  },
)

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

  // A server that nobody runs, at a port that nobody has.
  const away = { QUEUE_URL: 'redis://user:secret@127.0.0.1:1', LOG_LEVEL: 'silent' }
  const queue = start(t, ['--no-demo', '--ephemeral'], away)
  t.equal(await code(queue.child), 1)
  t.match(queue.output(), 'The queue at 127.0.0.1:1 cannot be used: connect ECONNREFUSED 127.0.0.1:1.')
  t.notMatch(queue.output(), /is up|secret/)

  const env = start(t, ['--help'])
  t.equal(await code(env.child), 0)
  t.match(env.output(), '--workers N')
})
