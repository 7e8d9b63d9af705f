import { type OpenDatabase, openDatabase } from '@playtherapy/schema'
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

/** Makes a migrated database for one test. It is dropped when the test is over. */
export async function testDatabase(t: Teardown): Promise<OpenDatabase & { url: string }> {
  const name = randomName()
  await onServer(`create database ${name} template ${template}`)
  const url = urlOf(name)
  const database = openDatabase({ url, max: 4, applicationName: 'test' })
  t.teardown(async () => {
    await database.close()
    await onServer(`drop database if exists ${name} with (force)`)
  })
  return { ...database, url }
}

/** Makes the template database; called once for each run. */
export async function prepareTemplate(migrate: (url: string) => Promise<void>): Promise<void> {
  await onServer(`drop database if exists ${template} with (force)`)
  await onServer(`create database ${template}`)
  await migrate(urlOf(template))
}
