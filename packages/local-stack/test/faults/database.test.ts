import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { openDatabase } from '@playtherapy/schema'
import { migrate } from '@playtherapy/schema/migrate'
import { type QueueBackend, queueBackends, storeBackends, until } from '@playtherapy/testing'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { faultPlace, makeClip } from './place.ts'

const skip = !storeBackends.includes('s3')

/** A place on a PostgreSQL of its own, which keeps what it acknowledged. */
async function begin(t: Test, backend: QueueBackend, ...settings: string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-postgres-'))
  await chmod(directory, 0o755)
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  let server: Awaited<ReturnType<typeof startPostgres>> | undefined = await startPostgres({ directory, settings })
  const { url } = server
  t.teardown(() => server?.stop())
  await migrate(url)
  // One user for all processes, as an installation without roles has it.
  const urls = { contents: url, media: url, script: url, worker: url }
  const database = { ...openDatabase({ url, max: 2, applicationName: 'test' }), urls }
  t.teardown(() => database.close())
  const place = await faultPlace(t, { database, ...(backend === 'postgres' ? { queueUrl: url } : { queue: backend }) })
  const crash = async () => {
    const gone = new Promise((resolve) => server?.supervisor.once('exit', resolve))
    const [pid] = (await readFile(join(directory, 'data/postmaster.pid'), 'utf8')).split('\n')
    process.kill(Number(pid), 'SIGKILL')
    await gone
  }
  const restart = async () => {
    await until('PostgreSQL', async () => {
      const port = `port=${new URL(url).port}`
      server = await startPostgres({ directory, settings: [...settings, port] }).catch(() => undefined)
      return server
    })
  }
  return { place, url, crash, restart }
}

async function crashes(t: Test, backend: QueueBackend) {
  const { place, crash, restart } = await begin(t, backend)
  const [media, worker] = [await place.host(), await place.worker()]
  await worker.restart()
  const session = await place.addSession()
  const status = await place.upload(media, session, await makeClip(12), async () => {
    await until('a row', async () => (await place.sql`select 1 from videos`).length > 0)
    await crash()
    await restart()
  })
  t.equal(status, 201, `queue on ${backend}: an upload outlives a crash of the database`)
  await place.encoded(session)
  await place.works(media)
}

async function crashesBeforeCommit(t: Test) {
  const { place, crash, restart } = await begin(t, 'postgres')
  const media = await place.host()
  const session = await place.addSession()
  let restarted: Promise<void> | undefined
  place.gate.after = async ({ method, query }) => {
    if (method !== 'POST' || !query.includes('uploadId')) return
    await crash()
    restarted = new Promise((resolve) => setTimeout(resolve, 2_000)).then(restart)
  }
  const status = await place.upload(media, session, await makeClip(12))
  place.gate.after = () => {}
  await restarted
  t.equal(status, 201, 'the commit is tried again until the database is back')
  const worker = await place.worker()
  await worker.restart()
  await place.encoded(session)
  await place.works(media)
}

t.test('PostgreSQL crashes in the midst of uploads, and between an object and its commit', { skip }, async (t) => {
  await Promise.all([...queueBackends.map((backend) => crashes(t, backend)), crashesBeforeCommit(t)])
})

t.test('PostgreSQL is out of connections', { skip }, async (t) => {
  const { place, url } = await begin(t, 'postgres', 'max_connections=20')
  const media = await place.host()
  const session = await place.addSession()
  const clip = await makeClip()
  // Every connection that there is, each held by a client of its own that does nothing.
  const hogs: postgres.Sql[] = []
  for (let free = true; free; ) {
    const hog = postgres(url, { max: 1, onnotice: () => {} })
    free = await hog`select 1`.then(
      () => true,
      () => false,
    )
    hogs.push(hog)
  }
  t.equal(await place.upload(media, session, clip), 503, 'told to come again')
  await Promise.all(hogs.map((hog) => hog.end()))
  const worker = await place.worker()
  await worker.restart()
  await place.works(media)
})
