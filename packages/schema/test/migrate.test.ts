import { migrate } from '@playtherapy/schema/migrate'
import { randomName, testDatabase } from '@playtherapy/testing'
import postgres from 'postgres'
import t from 'tap'

t.test('migrations can run twice and by several processes at once', async (t) => {
  const { sql, url } = await testDatabase(t)
  const name = randomName()
  await sql.unsafe(`create database ${name}`)
  t.teardown(() => sql.unsafe(`drop database ${name} with (force)`))
  const empty = new URL(url)
  empty.pathname = `/${name}`
  await Promise.all([migrate(empty.href), migrate(empty.href), migrate(empty.href)])
  await migrate(empty.href)
  const fresh = postgres(empty.href, { max: 1 })
  const tables = await fresh`select table_name from information_schema.tables where table_schema = 'public'`
  await fresh.end()
  t.match(
    new Set(tables.map((row) => row.table_name)),
    new Set(['cases', 'sessions', 'videos', 'renditions', 'script_versions', 'report_versions', 'outbox', 'erasures']),
  )
})
