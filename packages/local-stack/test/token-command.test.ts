import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { jwtSecret, sourceOptions } from '@playtherapy/testing'
import { createVerifier } from 'fast-jwt'
import t from 'tap'
import { readTokenOptions } from '../src/token-options.ts'

const command = fileURLToPath(new URL('../src/token-command.ts', import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'playtherapy-token-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

/** Runs `npm run token` with these arguments, on data in an empty folder unless they name another. */
function run(args: string[], env: NodeJS.ProcessEnv = {}) {
  const { JWT_SECRET: _, ...rest } = process.env
  const words = [...sourceOptions, command, '--data-dir', folder, ...args]
  return new Promise<{ code: number; out: string; said: string }>((resolve) => {
    const child = execFile(process.execPath, words, { env: { ...rest, ...env } }, (_error, out, said) =>
      resolve({ code: child.exitCode ?? -1, out, said }),
    )
  })
}

t.test('a token is printed alone, for this therapist and so many hours', async (t) => {
  const { code, out } = await run(['--user', '7', '--hours', '8'], { JWT_SECRET: jwtSecret, JWT_AUDIENCE: 'clinic' })
  t.equal(code, 0)
  const claims = createVerifier({ key: jwtSecret, algorithms: ['HS256'], allowedAud: 'clinic' })(out.trim())
  t.match(claims, { user_id: 7, aud: 'clinic' })
  t.equal(claims.exp - claims.iat, 8 * 3_600)
})

t.test('the first of several secrets signs', async (t) => {
  const [first, second] = ['a'.repeat(32), 'b'.repeat(32)]
  const { out } = await run([], { JWT_SECRET: `${first},${second}` })
  t.match(createVerifier({ key: first, algorithms: ['HS256'] })(out.trim()), { user_id: 1 })
})

t.test('the secret is that of npm start, or of a file of settings', async (t) => {
  t.match(await run([]), { code: 1, out: '', said: /no secret in .*: run npm start once/ })
  await writeFile(join(folder, 'settings'), `JWT_SECRET=${jwtSecret}\nJWT_ISSUER="sign-in"\n`)
  const verify = createVerifier({ key: jwtSecret, algorithms: ['HS256'] })
  t.match(verify((await run(['--settings', join(folder, 'settings')])).out.trim()), { user_id: 1, iss: 'sign-in' })
  await writeFile(join(folder, 'jwt-secret'), jwtSecret)
  t.match(verify((await run([])).out.trim()), { user_id: 1, iss: undefined })
  t.match(await run(['--settings', join(folder, 'none')]), { code: 1, out: '', said: /cannot be read/ })
})

t.test('a token has a scope, with or without a therapist', (t) => {
  const claimsOf = (...args: string[]) => {
    const options = readTokenOptions(args)
    return options === 'help' ? undefined : options.claims
  }
  t.strictSame(claimsOf(), { user_id: 1 })
  t.strictSame(claimsOf('--scope', 'operations'), { scope: 'operations' })
  t.strictSame(claimsOf('--scope', 'operations', '--user', '7'), { user_id: 7, scope: 'operations' })
  t.strictSame(claimsOf('--scope', 'reports:write'), { scope: 'reports:write' })
  t.end()
})

t.test('numbers that no token may have are refused in words', async (t) => {
  const refused: [args: string[], words: RegExp][] = [
    [['--user', '0'], /--user takes a number from 1 to 2147483647/],
    [['--user=-1'], /--user takes a number/],
    [['--user', '7.5'], /--user takes a number/],
    [['--user', '2147483648'], /--user takes a number/],
    [['--user='], /--user takes a number/],
    [['--hours', '0'], /--hours takes a number from 1 to 8784/],
    [['--hours', '1e3'], /--hours takes a number/],
    [['--hours', '8785'], /--hours takes a number/],
    [['--scope', 'cases'], /--scope takes one of: operations, reports:write/],
    [['--scope', 'operations reports:write'], /--scope takes one of/],
    [['--scope='], /--scope takes one of/],
    [['--scope', 'reports:write', '--user', '7'], /takes no --user/],
    [['7'], /Unexpected argument '7'/],
    [['--for', '7'], /Unknown option '--for'/],
  ]
  for (const [args, message] of refused) t.throws(() => readTokenOptions(args), { name: 'UsageError', message })
})

t.test('help only helps, and nothing is printed where nothing can be signed', async (t) => {
  const [wrong, keyed, published, help] = await Promise.all([
    run(['--user', '0'], { JWT_SECRET: jwtSecret }),
    run([], { JWT_PUBLIC_KEY: 'any' }),
    run([], { JWT_JWKS_URL: 'any' }),
    run(['--help', '--user', '0']),
  ])
  t.match(wrong, { code: 2, out: '', said: /--user takes a number from 1 to 2147483647\n.*--help/ })
  for (const refused of [keyed, published]) t.match(refused, { code: 1, out: '', said: /only the sign-in service/ })
  t.match(help, { code: 0, out: /--hours N/, said: '' })
})
