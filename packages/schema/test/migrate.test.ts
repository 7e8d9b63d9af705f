import { readdirSync, readFileSync } from 'node:fs'
import { migrate } from '@playtherapy/schema/migrate'
import { emptyDatabase } from '@playtherapy/testing'
import postgres from 'postgres'
import t from 'tap'

t.test('migrations can run twice and by several processes at once', async (t) => {
  const url = await emptyDatabase(t)
  await Promise.all([migrate(url), migrate(url), migrate(url)])
  await migrate(url)
  const fresh = postgres(url, { max: 1 })
  const tables = await fresh`select table_name from information_schema.tables where table_schema = 'public'`
  await fresh.end()
  t.match(
    new Set(tables.map((row) => row.table_name)),
    new Set([
      'cases',
      'sessions',
      'videos',
      'renditions',
      'script_versions',
      'script_pages',
      'report_versions',
      'outbox',
      'erasures',
    ]),
  )
})

t.test('migrations only add, so that old code works on the new schema while both run', async (t) => {
  const folder = new URL('../migrations/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'))
  t.ok(files.length > 0)
  for (const name of files) {
    const text = readFileSync(new URL(name, folder), 'utf8')
    t.notMatch(text, /\bDROP (TABLE|COLUMN|TYPE|SCHEMA)\b|\bRENAME\b|\bSET NOT NULL\b|\bSET DATA TYPE\b/i, name)
  }
})
