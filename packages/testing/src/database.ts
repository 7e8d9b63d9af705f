import { type Database, type OpenDatabase, openDatabase } from '@playtherapy/schema'
import type { Role, RoleUrls } from '@playtherapy/schema/migrate'
import postgres from 'postgres'
import { randomName } from './names.ts'

/** The part of tap's `t` that is needed here, so that this package does not depend on tap's types. */
export interface Teardown {
  teardown(clean: () => unknown): void
}

/** The migrated database that `prepareTemplate` made; every test database is a copy of it. */
const template = 'playtherapy_template'

/** Returns the URL of a database on the test server. */
const urlOf = (name: string) => {
  const server = process.env.TEST_DATABASE_URL
  if (!server) throw new Error('TEST_DATABASE_URL is not set: run tests by `npm test` or `npm run test:quick`')
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

async function onServer(statement: string): Promise<void> {
  const sql = postgres(urlOf('postgres'), { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

/** Makes an empty database for one test and returns its URL. It is dropped when the test is over. */
export async function emptyDatabase(t: Teardown): Promise<string> {
  const name = randomName()
  await onServer(`create database ${name}`)
  t.teardown(() => onServer(`drop database ${name} with (force)`))
  return urlOf(name)
}

/** Makes a copy of a database to which nobody is connected, and returns its URL. It is dropped when the test is over. */
export async function copyOf(t: Teardown, url: string): Promise<string> {
  const name = randomName()
  await onServer(`create database ${name} template ${new URL(url).pathname.slice(1)}`)
  t.teardown(() => onServer(`drop database ${name} with (force)`))
  return urlOf(name)
}

/** The URL of a database of the test server for the role of a process. All test databases share the roles. */
function urlAs(role: Role, databaseUrl: string): string {
  const url = new URL(databaseUrl)
  url.username = role
  url.password = 'of a test'
  return url.href
}

/** The URLs of all roles, as `migrate` takes them. */
export const roleUrls = (url: string): RoleUrls => ({
  contents: urlAs('contents', url),
  media: urlAs('media', url),
  script: urlAs('script', url),
  worker: urlAs('worker', url),
})

export interface TestDatabase extends OpenDatabase {
  /** The URL of the owner, as whom `db` is connected: tests prepare rows and look at them with it. */
  url: string
  /** The URL with which a process of this kind connects. */
  urls: RoleUrls
  /** A pool with the rights of this process, for the code that is tested. */
  as(role: Role): Database
}

/** Connects one test to a migrated database, until the test is over. */
export function connectTo(t: Teardown, url: string): TestDatabase {
  const urls = roleUrls(url)
  const pools = new Map<Role, OpenDatabase>()
  const database = openDatabase({ url, max: 4, applicationName: 'test' })
  t.teardown(() => Promise.all([database, ...pools.values()].map(({ close }) => close())))
  return {
    ...database,
    url,
    urls,
    as(role) {
      const pool = pools.get(role) ?? openDatabase({ url: urls[role], max: 4, applicationName: role })
      pools.set(role, pool)
      return pool.db
    },
  }
}

/** Makes a migrated database for one test. It is dropped when the test is over. */
export async function testDatabase(t: Teardown): Promise<TestDatabase> {
  const name = randomName()
  await onServer(`create database ${name} template ${template}`)
  t.teardown(() => onServer(`drop database if exists ${name} with (force)`))
  return connectTo(t, urlOf(name))
}

/** Makes the template database; called once for each run. */
export async function prepareTemplate(migrate: (url: string, roleUrls: RoleUrls) => Promise<unknown>): Promise<void> {
  await onServer(`drop database if exists ${template} with (force)`)
  await onServer(`create database ${template}`)
  await migrate(urlOf(template), roleUrls(urlOf(template)))
}
