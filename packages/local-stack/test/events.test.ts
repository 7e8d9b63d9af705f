/** Event streams while their surroundings break: through the gateway, and without the database. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contentsApp } from '@playtherapy/contents/app'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { openDatabase, sessions } from '@playtherapy/schema'
import { migrate } from '@playtherapy/schema/migrate'
import {
  flakyLink,
  hasNginx,
  seedSession,
  startNginx,
  type Teardown,
  testDatabase,
  testHost,
  testStore,
  until,
} from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { openEvents } from '../../../services/contents/test/event-client.ts'
import { testServices } from './support.ts'

const path = '/contents/api/events'

/** A PostgreSQL of its own, which can be stopped and started again on its port. */
async function ownDatabase(t: Teardown) {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-postgres-'))
  await chmod(directory, 0o755)
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  let server = await startPostgres({ directory })
  const { url } = server
  t.teardown(() => server.stop())
  await migrate(url)
  const database = openDatabase({ url, max: 4, applicationName: 'test' })
  t.teardown(() => database.close())
  return {
    ...database,
    stop: () => server.stop(),
    async start() {
      server = await startPostgres({ directory, settings: [`port=${new URL(url).port}`] })
    },
  }
}

t.test('streams outlast a restart of the database, and miss nothing', async (t) => {
  const database = await ownDatabase(t)
  const { db } = database
  const store = await testStore(t, 'file')
  const host = await testHost(t, contentsApp({ db, store, phase: 'LOCAL', timeZone: 'UTC', uploadLimit: 1 }))
  const { sessionId } = await seedSession(db, 7)
  const rename = (name: string) =>
    until('a write', () =>
      db
        .update(sessions)
        .set({ name })
        .where(eq(sessions.id, sessionId))
        .then(
          () => true,
          () => false,
        ),
    )
  const open = () => openEvents(t, host.url + path, host.as(7))

  await database.stop()
  t.equal((await open()).status, 503, 'none is opened without the database')
  await database.start()
  const stream = await until('a stream', open, ({ status }) => status === 200)
  for (const name of ['first', 'second']) {
    await rename(`before the ${name} restart`)
    await stream.nextWith(({ session }) => session?.name === `before the ${name} restart`)
    await database.stop()
    await database.start()
    await rename(`after the ${name} restart`)
    await stream.nextWith(({ session }) => session?.name === `after the ${name} restart`)
  }
  const listening = () =>
    db.$client`select 1 from pg_stat_activity where query ilike 'listen%session_changes%' and pid <> pg_backend_pid()`
  await until('one LISTEN', async () => (await listening()).length === 1)
  t.equal(await Promise.race([stream.ended, Promise.resolve('open')]), 'open')
})

t.test('the gateway passes events on as they come', { skip: hasNginx() ? false : 'needs nginx' }, async (t) => {
  const services = await testServices(t)
  const { sessionId } = await seedSession(services.db, 7)
  const nginx = await startNginx(t.testdir(), { media: services.url, store: services.url, contents: services.url })
  t.teardown(() => nginx.stop())
  const ticket = await fetch(`${nginx.url}${path}/ticket`, { method: 'POST', headers: services.as(7) })
  const { url } = Object(await ticket.json())
  const streams = [
    await openEvents(t, nginx.url + path, { ...services.as(7), 'accept-encoding': 'gzip' }),
    await openEvents(t, nginx.url + url, { origin: 'http://localhost:3000' }),
  ]
  await services.db.update(sessions).set({ name: 'passed on' }).where(eq(sessions.id, sessionId))
  for (const stream of streams) {
    t.equal(stream.status, 200)
    t.match((await stream.next()).data, { session: { name: 'passed on' } })
  }
  t.equal(streams[1]?.headers['access-control-allow-origin'], 'http://localhost:3000')
  const left = async () => (await fetch(`${services.url}/metrics`)).text()
  t.match(await left(), /^event_streams 2$/m)
  for (const stream of streams) stream.close()
  await until('the gateway tells that they have gone', left, (text) => /^event_streams 0$/m.test(text))
})

t.test('a database that hangs keeps no stream waiting, and streams open when it responds again', async (t) => {
  const { urls, db: direct } = await testDatabase(t)
  const link = await flakyLink(t, urls.contents)
  const { db, close } = openDatabase({ url: link.url, max: 4, applicationName: 'test' })
  t.teardown(() => close())
  const store = await testStore(t, 'file')
  const options = { db, store, phase: 'LOCAL', timeZone: 'UTC', uploadLimit: 1, openMs: 500 } as const
  const host = await testHost(t, contentsApp(options))
  const { caseId, sessionId } = await seedSession(direct, 7)
  const open = (query = '') => openEvents(t, host.url + path + query, host.as(7))
  link.freeze()
  t.equal((await open()).status, 503)
  t.equal((await open(`?case_id=${caseId}`)).status, 503)
  link.thaw()
  const stream = await until('a stream', open, ({ status }) => status === 200)
  await direct.update(sessions).set({ name: 'thawed' }).where(eq(sessions.id, sessionId))
  await stream.nextWith(({ session }) => session?.name === 'thawed')
})
