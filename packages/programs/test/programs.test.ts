import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { nodeOptions, type Program, programPath } from '@playtherapy/programs'
import {
  emptyDatabase,
  jwtSecret,
  ownProcess,
  roleUrls,
  storeBackends,
  testBucket,
  testQueue,
} from '@playtherapy/testing'
import t from 'tap'
import manifest from '../../../package.json' with { type: 'json' }

const skip = !storeBackends.includes('s3')

/** Runs a program in another folder to its end and returns what it printed. Rejects when it fails. */
async function run(program: Program, env: NodeJS.ProcessEnv, args: string[] = []): Promise<string> {
  const options = { cwd: '/', env: { PATH: process.env.PATH, ...env } }
  return (await promisify(execFile)(process.execPath, [...nodeOptions, programPath(program), ...args], options)).stdout
}

/** Resolves once the process on this port says that it is ready: a container's health is asked again and again too. */
async function ready(PORT: string): Promise<void> {
  while (
    await run('ready', { PORT }).then(
      () => false,
      () => true,
    )
  );
}

t.test('every program prints its version, without settings', async (t) => {
  for (const program of ['contents', 'media', 'script', 'worker', 'migrate', 'prepare-bucket', 'jobs'] as const) {
    const [version, commit] = (await run(program, {}, ['--version'])).trim().split(' ')
    t.equal(version, manifest.version, program)
    t.match(commit, /^\((unknown|[0-9a-f]{7,40})\)$/, program)
  }
})

t.test('the images are labelled with the same version, and run node with the same options', async (t) => {
  const dockerfile = await readFile(new URL('../../../.docker/Dockerfile', import.meta.url), 'utf8')
  t.match(dockerfile, ` org.opencontainers.image.version=${manifest.version} `)
  const entryPoints = [...dockerfile.matchAll(/^ENTRYPOINT (.*)$/gm)].map(([, words = '']) => JSON.parse(words))
  t.strictSame(entryPoints, [['node', ...nodeOptions]])
})

t.test('the bundled programs prepare an installation, run it, and look after it', { skip }, async (t) => {
  const url = await emptyDatabase(t)
  const bucket = await testBucket()
  const urls = roleUrls(url)
  const env = {
    S3_ENDPOINT: bucket.endpoint,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    JWT_SECRET: jwtSecret,
    QUEUE_URL: testQueue(t, 'postgres', urls.worker).url,
    SCRATCH_DIRECTORY: t.testdir(),
  }
  const ofRoles = {
    CONTENTS_DATABASE_URL: urls.contents,
    MEDIA_DATABASE_URL: urls.media,
    SCRIPT_DATABASE_URL: urls.script,
    WORKER_DATABASE_URL: urls.worker,
  }
  t.match(await run('migrate', { DATABASE_URL: url, ...ofRoles }), /up to date\.\nEach process has a role/)
  const half = run('migrate', { DATABASE_URL: url, MEDIA_DATABASE_URL: urls.media })
  await t.rejects(half, /SCRIPT_DATABASE_URL is required with MEDIA_DATABASE_URL/)
  t.match(await run('prepare-bucket', env), 'ready')
  for (const program of ['contents', 'media', 'script', 'worker'] as const) {
    const own = await ownProcess(program, { ...env, DATABASE_URL: urls[program] })
    t.teardown(() => own.kill('SIGKILL'))
    await own.restart()
    await ready(new URL(own.url).port)
    t.match(await (await fetch(`${own.url}/health/live`)).json(), { status: 'ok', version: manifest.version }, program)
    if (program === 'worker') continue
    // The page, and a file that its library keeps beside its code.
    t.match(await (await fetch(`${own.url}/documentation/`)).text(), 'swagger-ui', program)
    const style = await fetch(`${own.url}/documentation/static/swagger-ui.css`)
    t.match(style.headers.get('content-type'), 'text/css', program)
    await style.text()
  }
  t.match(await run('jobs', { DATABASE_URL: urls.worker }), 'No job was given up')
  t.match(await run('sweep-orphans', { ...env, DATABASE_URL: urls.worker }), '0')
})
