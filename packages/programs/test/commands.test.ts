import { execFile } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeOptions, type Program, programPath } from '@playtherapy/programs'
import { emptyDatabase, jwtSecret, testDatabase } from '@playtherapy/testing'
import t from 'tap'

interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs a program to its end in a folder of its own. */
const run = (program: Program, args: string[], env: NodeJS.ProcessEnv = {}, cwd = '/') =>
  new Promise<Ended>((resolve) => {
    const options = { cwd, env: { PATH: process.env.PATH, NODE_NO_WARNINGS: '1', ...env }, timeout: 60_000 }
    execFile(process.execPath, [...nodeOptions, programPath(program), ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr })
    })
  })

const commands = [
  'migrate',
  'prepare-bucket',
  'jobs',
  'audit',
  'sweep-orphans',
  'erasure',
  'retention',
  'import-case',
] as const
const programs = ['contents', 'media', 'script', 'worker', ...commands] as const

/** Settings with which every program starts, but for its servers. */
const settings = (DATABASE_URL: string, FILE_STORE_DIRECTORY: string) => ({
  DATABASE_URL,
  QUEUE_URL: DATABASE_URL,
  FILE_STORE_DIRECTORY,
  S3_BUCKET: 'clinic',
  S3_ENDPOINT: 'http://127.0.0.1:1',
  S3_ACCESS_KEY_ID: 'key',
  S3_SECRET_ACCESS_KEY: 'hunter2',
  JWT_SECRET: jwtSecret,
})

t.test('--help helps and does nothing else', async (t) => {
  const folder = t.testdir()
  const env = settings(await emptyDatabase(t), folder)
  const asked: [Program, string[]][] = [
    ...[...programs, 'ready' as const].map((program): [Program, string[]] => [program, ['--help']]),
    ['jobs', ['retry', 'all', '-h']],
    ['sweep-orphans', ['--dry-run', '--help']],
  ]
  for (const [program, args] of asked) {
    const ended = await run(program, args, env, folder)
    t.match(ended, { code: 0, stderr: '' }, program)
    t.match(ended.stdout, new RegExp(`^${program}: \\w`), program)
    if (args[0] !== '--dry-run') continue
    for (const part of ['--dry-run  only lists', 'DATABASE_URL (required)', 'S3_BUCKET']) t.match(ended.stdout, part)
  }
  t.strictSame(await readdir(folder), [], 'no file was made')
})

t.test('an argument that a program does not know stops it', async (t) => {
  const folder = t.testdir()
  const wrong: [Program, string[]][] = [
    ['audit', []],
    ['audit', ['verify', '--case', '1']],
    ['audit', ['continue', '--case', '1']],
    ['audit', ['continue', 'all']],
    ['audit', ['export', '--from', 'yesterday']],
    ['audit', ['export', '--case', '12abc']],
    ['audit', ['export', '--format', 'xml']],
    ['jobs', ['retry']],
    ['jobs', ['retry', '12abc']],
    ['jobs', ['encode-again', 'all']],
    ['sweep-orphans', ['--dryrun']],
    ['migrate', ['--down']],
    ['erasure', ['verify']],
    ['erasure', ['forget', '1']],
    ['retention', ['--finished-before']],
    ['retention', ['--finished-before', '5y', 'now']],
    ['contents', ['--port=1']],
  ]
  for (const [program, args] of wrong) {
    const ended = await run(program, args, settings('postgres://127.0.0.1:1/none', folder))
    t.match(ended, { code: 2, stdout: '' }, `${program} ${args}`)
    t.match(ended.stderr, /^.* does not know\. See --help\.\n$/, `${program} ${args}`)
  }
})

t.test('a program that cannot reach a server says which, where and why in one sentence', async (t) => {
  const folder = t.testdir()
  const { url } = await testDatabase(t)
  const wrongPassword = new URL(url)
  wrongPassword.password = 'hunter2'
  const { host } = wrongPassword
  const nobody = 'postgres://app:hunter2@127.0.0.1:1/none'
  const refused = 'cannot be used: nothing listens there (127.0.0.1:1, ECONNREFUSED).\n'
  const cases: [Program, NodeJS.ProcessEnv, string][] = [
    ...(['migrate', 'jobs', 'sweep-orphans', 'worker'] as const).map(
      (program): [Program, NodeJS.ProcessEnv, string] => [
        program,
        settings(nobody, folder),
        `${program}: The database at 127.0.0.1:1 ${refused}`,
      ],
    ),
    [
      'jobs',
      settings(wrongPassword.href, folder),
      `jobs: The database at ${host} cannot be used: the user name or password is refused (28P01).\n`,
    ],
    [
      'migrate',
      settings('postgres://app:hunter2@nowhere.invalid/x', folder),
      'migrate: The database at nowhere.invalid:5432 cannot be used: the host name is not known (nowhere.invalid, ENOTFOUND).\n',
    ],
    ['prepare-bucket', settings(url, folder), `prepare-bucket: The object store at 127.0.0.1:1 ${refused}`],
    [
      'sweep-orphans',
      { ...settings(url, folder), FILE_STORE_DIRECTORY: '' },
      `sweep-orphans: The object store at 127.0.0.1:1 ${refused}`,
    ],
    [
      'worker',
      {
        ...settings(url, folder),
        QUEUE_URL: 'redis://:hunter2@127.0.0.1:1',
        SCRATCH_DIRECTORY: folder,
        LOG_LEVEL: 'silent',
      },
      `worker: The queue at 127.0.0.1:1 ${refused}`,
    ],
    [
      'worker',
      settings(await emptyDatabase(t), folder),
      `worker: The database at ${host} cannot be used: a table is missing, so the database is not migrated: run migrate (42P01).\n`,
    ],
  ]
  for (const [program, env, sentence] of cases) {
    const ended = await run(program, [], env)
    t.equal(ended.stderr, sentence)
    t.equal(ended.code, 1, sentence)
    t.notMatch(ended.stdout + ended.stderr, /hunter2/)
  }
})

t.test('after a restore of the database alone an operator is told what happened, and goes on', async (t) => {
  const { urls, sql } = await testDatabase(t)
  const folder = t.testdir()
  const { S3_BUCKET: _, ...others } = settings(urls.worker, folder)
  const env = { ...others, PHASE: 'LOCAL' }
  const audit = (word: string) => run('audit', [word], env)
  t.match(await audit('verify'), { code: 0, stdout: /^0 events are as they were sealed, 0 are not sealed yet/ })
  t.match(await audit('continue'), { code: 0, stdout: /There is nothing to continue/ })

  const hash = 'a1'.repeat(32)
  await mkdir(join(folder, 'audit/LOCAL'), { recursive: true })
  const head = join(folder, `audit/LOCAL/0000000000000020-${hash.slice(0, 32)}.json`)
  await writeFile(head, JSON.stringify({ id: 20, hash, sealed_at: new Date().toISOString() }))
  const before = await audit('verify')
  t.match(before, { code: 1, stderr: '', stdout: /20 {2}is known to the object store, and its seal is missing\n/ })
  t.match(before.stdout, /1 heads, of events 20 to 20, that are not of this trail, whose last sealed event is 0\./)
  t.match(before.stdout, /If the database was restored from a backup, "audit continue" says so for good\./)
  t.match(await audit('continue'), {
    code: 0,
    stderr: '',
    stdout: /a restore has lost the events of 1 heads, 20 to 20\./,
  })
  const after = await audit('verify')
  t.match(after, { code: 0, stderr: '', stdout: /1 heads in the object store are of events that a restore/ })
  t.match(after.stdout, /On \d{4}-\S+Z an operator said that a restore had lost the events of 1 heads, 20 to 20\./)
  t.match(await sql`select actor, action, kind from audit_events`, [
    { actor: 'command', action: 'update', kind: 'audit' },
  ])
})

t.test('a health check with a wrong argument does not read as healthy', async (t) => {
  t.match(await run('ready', ['--helth'], {}), { code: 2, stdout: '', stderr: /argument that it does not know/ })
})

t.test('a database URL that is no URL is not repeated', async (t) => {
  for (const url of ['postgres://app:hunter2@bad host/db', 'postgres://app:hunter2%zz@127.0.0.1/db']) {
    for (const program of ['migrate', 'contents'] as const) {
      const ended = await run(program, [], settings(url, t.testdir()))
      t.equal(ended.code, 1, program)
      t.match(ended.stderr, /URL|URI/, program)
      t.notMatch(ended.stdout + ended.stderr, /hunter2|bad host/, program)
    }
  }
})

t.test('jobs shows what failed and what was refused, and retries only what exists', async (t) => {
  const { urls, sql } = await testDatabase(t)
  await sql`insert into outbox (name, payload, attempts, failed_at, failure, is_refused) values
    ('erase', '{"erasure_id": 1}', 10, now(), 'the disk is full', false),
    ('erase', '{"erasure_id": 2}', 10, now(), 'the disk is full', false),
    ('encode-video', '{"video_id": 3}', 1, now(), 'The file has no picture.', true)`
  const jobs = (...args: string[]) => run('jobs', args, { DATABASE_URL: urls.worker })
  const shown = await jobs()
  t.match(shown, { code: 0, stdout: /^1 .* erase .* failed after 10 attempts: the disk is full$/m })
  t.match(shown, { stdout: /^3 .* encode-video .* refused: The file has no picture\.$/m })
  for (const id of ['999999', '99999999999999999999']) {
    t.match(await jobs('retry', id), { code: 1, stdout: '', stderr: /there is no such job/ })
  }
  t.match(await jobs('retry', '999999', '1'), { code: 1, stdout: '1  announced again\n', stderr: /^999999 / })
  t.match(await jobs('retry', 'all'), { code: 0, stdout: '2  announced again\n', stderr: '' })
  t.match(await jobs('encode-again'), { code: 0, stdout: /^Every recording has been encoded by this release/ })
  const left = await sql`select id from outbox where failed_at is not null`
  t.match([...left], [{ id: '3' }], 'what was refused would be refused again')
})

t.test('retention lists first, erases only what it is told, and erasure shows that', async (t) => {
  const { url, sql } = await testDatabase(t)
  await sql`insert into cases (user_id, given_name, case_state_id, updated_at) values (7, '민수', 3, now() - interval '6 years')`
  await sql`insert into sessions (case_id, name, created_at) select id, '첫 회기', updated_at from cases`
  await sql`insert into videos (session_id, state, failure, path, created_at)
    select id, 'failed', 'x', 'LOCAL/1/1/1.mp4', created_at from sessions`
  const retention = (...args: string[]) => run('retention', args, { DATABASE_URL: url })
  const erasure = (...args: string[]) => run('erasure', args, { DATABASE_URL: url })
  for (const args of [[], ['--dry-run'], ['--finished-before', '0y'], ['--finished-before=', '--dry-run']]) {
    t.match(await retention(...args), { code: 2, stdout: '', stderr: /It needs an age, such as --finished-before 5y/ })
  }
  t.match(await retention('--finished-before', '7y'), { code: 0, stdout: /^0 recordings deleted/ })
  const listed = await retention('--finished-before', '5y', '--dry-run')
  t.match(listed, {
    code: 0,
    stdout: /^case 1 {2}session 1 {2}recordings 1\n1 recording would be erased; nothing was\n$/,
  })
  t.equal((await sql`select from videos`).length, 1)
  const done = await retention('--finished-before', '5y')
  const [, id = ''] =
    /^case 1 {2}session 1 {2}recording 1 {2}erasure ([0-9a-f-]{36})\n1 recording deleted/.exec(done.stdout) ?? []
  t.notMatch(done.stdout + listed.stdout, /민수|회기/)
  t.equal((await sql`select from videos`).length, 0)

  t.match(await erasure(), {
    code: 0,
    stdout: new RegExp(`^${id}  .*  retention  pending  case 1  session 1  recording 1\n$`),
  })
  t.match(await erasure('receipt', id), { code: 1, stderr: 'It has no receipt yet.\n' })
  t.match(await erasure('receipt', 'x'), { code: 1, stderr: 'There is no such erasure.\n' })
  const folder = t.testdir({ 'no.jws': 'a.b.c' })
  t.match(await erasure('verify', `${folder}/none.jws`), { code: 1, stderr: 'The file cannot be read.\n' })
  t.match(await erasure('verify', `${folder}/no.jws`), { code: 1, stderr: 'This is no receipt of an erasure.\n' })
})
