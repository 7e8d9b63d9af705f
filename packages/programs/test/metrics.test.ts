/** What the four processes serve as `/metrics` is what `.docker/observability/metrics.md` lists, and keeps the rules of names. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { jwtSecret, ownProcess, testDatabase, testQueue } from '@playtherapy/testing'
import t from 'tap'

type Metric = Record<'name' | 'type' | 'unit', string>

const processes = ['contents', 'media', 'script', 'worker'] as const

const catalogue = await readFile(new URL('../../../.docker/observability/metrics.md', import.meta.url), 'utf8')
const row = /^\| `(\w+)` \| (\w+) \| (\w*) ?\| (\w+) \| .+ \|$/gm
const listed = [...catalogue.matchAll(row)].map(([, name = '', type = '', unit = '', process = '']) => ({
  ...{ name, type, unit },
  in: processes.filter((each) => ['all', each].includes(process) || (process === 'services' && each !== 'worker')),
}))

/** Lets promtool look at metrics as they are served, and returns its complaints. */
const lint = (text: string) =>
  new Promise<string>((resolve) => {
    const child = execFile('promtool', ['check', 'metrics'], (_error, stdout, stderr) => resolve(stdout + stderr))
    child.stdin?.end(text)
  })

const bySort = (metrics: Pick<Metric, 'name' | 'type'>[]) => metrics.map(({ name, type }) => `${name} ${type}`).sort()

t.test('each process serves exactly the metrics of the catalogue, with their types', async (t) => {
  const { url } = await testDatabase(t)
  const env = {
    DATABASE_URL: url,
    QUEUE_URL: testQueue(t, 'postgres', url).url,
    FILE_STORE_DIRECTORY: t.testdir(),
    SCRATCH_DIRECTORY: t.testdir({ scratch: {} }),
    S3_BUCKET: 'clinic',
    S3_ENDPOINT: 'http://127.0.0.1:1',
    S3_ACCESS_KEY_ID: 'key',
    S3_SECRET_ACCESS_KEY: 'secret',
    JWT_SECRET: jwtSecret,
  }
  await Promise.all(
    processes.map(async (program) => {
      const own = await ownProcess(program, env)
      t.teardown(() => own.kill('SIGKILL'))
      await own.restart()
      const text = await (await fetch(`${own.url}/metrics`)).text()
      const served = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => ({ name, type }))
      const wanted = listed.filter((metric) => metric.in.includes(program))
      t.strictSame(bySort(served), bySort(wanted), program)
      t.equal(await lint(text), '', `${program} keeps the rules`)
      t.notMatch(text, /_id="|(?<!\b(le|status|commit))="\d{3,}"/, `${program}: no label holds an id`)
    }),
  )
})

t.test('names say their type and unit', async (t) => {
  t.ok(listed.length > 50, 'the table is read')
  for (const { name, type, unit } of listed) {
    t.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`)
    const base = name.replace(/_total$/, '')
    for (const each of ['seconds', 'bytes']) {
      t.equal(base.endsWith(`_${each}`), unit === each, `${name} is counted in ${unit || 'nothing'}`)
    }
  }
})
