import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { copyOf, emptyDatabase, type Teardown } from './database.ts'

const migrations = new URL('../../schema/migrations/', import.meta.url)
const journal: { entries: unknown[] } = JSON.parse(readFileSync(new URL('meta/_journal.json', migrations), 'utf8'))

/** The number of the newest migration. */
export const newestMigration = journal.entries.length - 1

/** Applies the migrations up to number `last` that are missing. */
async function applyUpTo(url: string, last: number): Promise<void> {
  const migrationsFolder = await mkdtemp(join(tmpdir(), 'playtherapy-migrations-'))
  await cp(migrations, migrationsFolder, { recursive: true })
  const older = { ...journal, entries: journal.entries.slice(0, last + 1) }
  await writeFile(join(migrationsFolder, 'meta/_journal.json'), JSON.stringify(older))
  const client = postgres(url, { max: 1, onnotice: () => {} })
  await migrate(drizzle(client), { migrationsFolder })
  await client.end()
  await rm(migrationsFolder, { recursive: true })
}

/**
 * Makes the database of an older installation, with the migrations up to number `last`, and returns its URL. It is dropped when the
 * test is over.
 */
export async function olderDatabase(t: Teardown, last: number): Promise<string> {
  const url = await emptyDatabase(t)
  await applyUpTo(url, last)
  return url
}

/**
 * Makes a database of each older installation in turn, the oldest first: one migration is applied to a database, and a copy of it is
 * yielded. All are dropped when the test is over.
 */
export async function* olderDatabases(t: Teardown): AsyncGenerator<{ last: number; url: string }> {
  const chain = await emptyDatabase(t)
  for (let last = 0; last < newestMigration; last++) {
    await applyUpTo(chain, last)
    yield { last, url: await copyOf(t, chain) }
  }
}
