import { checkDatabase, openDatabase } from '@playtherapy/schema'
import { testDatabase } from '@playtherapy/testing'
import t, { type Test } from 'tap'

/** The check on new connections to a database with this setting. */
async function checkWith(t: Test, setting: string): Promise<void> {
  const { sql, url } = await testDatabase(t)
  await sql.unsafe(`alter database ${new URL(url).pathname.slice(1)} set ${setting}`)
  const { db, close } = openDatabase({ url, max: 1, applicationName: 'test' })
  try {
    await checkDatabase(db)
  } finally {
    await close()
  }
}

t.test('a writable database is ready, and the check changes nothing', async (t) => {
  const { db, sql } = await testDatabase(t)
  const size = () => sql<{ bytes: string }[]>`select pg_database_size(current_database()) as bytes`
  await checkDatabase(db)
  const before = await size()
  for (let look = 0; look < 20; look++) await checkDatabase(db)
  t.strictSame([...(await size())], [...before])
  t.equal((await sql`show work_mem`)[0]?.work_mem, '4MB', 'no setting is left behind')
})

t.test('a read-only database is not ready', async (t) => {
  await t.rejects(checkWith(t, 'default_transaction_read_only = on'), { message: 'the database is read-only' })
})

t.test('a database whose disk is full is not ready', async (t) => {
  // A full disk is told by the same class of errors, 53: here it has no room for a temporary file.
  await t.rejects(checkWith(t, 'temp_file_limit = 0'), { cause: { code: '53400' } })
})

t.test('a database that lacks the newest migration is not ready, and one with a newer release is', async (t) => {
  const { db, sql } = await testDatabase(t)
  await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('of a newer release', 9999999999999)`
  await checkDatabase(db)
  await sql`delete from drizzle.__drizzle_migrations
    where created_at >= (select max(created_at) from drizzle.__drizzle_migrations where created_at < 9999999999999)`
  await t.rejects(checkDatabase(db), { message: 'the database is not migrated: run migrate' })
})
