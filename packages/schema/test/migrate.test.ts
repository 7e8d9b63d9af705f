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
      'idempotency_keys',
    ]),
  )
})

t.test(
  'what is searched is made for cases that were there before, and by processes that do not know of it',
  async (t) => {
    const url = await emptyDatabase(t)
    await migrate(url)
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    t.teardown(() => sql.end())
    await sql`alter table cases drop column search_text`
    await sql`drop function case_search_text`
    await sql`drop function search_fold`
    await sql`insert into cases (user_id, given_name, description) values (7, '지우', '{"note": ["Shy", 7, true]}')`
    const file = new URL('../migrations/0009_case-search-text.sql', import.meta.url)
    for (const statement of readFileSync(file, 'utf8').split('--> statement-breakpoint')) await sql.unsafe(statement)
    // As pg_restore does it.
    await sql`set search_path = ''`
    await sql`insert into public.cases (user_id, given_name, family_name) values (7, 'Ann', 'Lee')`
    t.same(
      (await sql`select search_text from public.cases order by id`).map((row) =>
        row.search_text.split('\u001f').sort(),
      ),
      [
        ['', '7', 'shy', '지우'],
        ['', 'ann', 'lee'],
      ],
    )
  },
)

t.test('migrations only add, so that old code works on the new schema while both run', async (t) => {
  const folder = new URL('../migrations/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'))
  t.ok(files.length > 0)
  for (const name of files) {
    const text = readFileSync(new URL(name, folder), 'utf8')
    t.notMatch(text, /\bDROP (TABLE|COLUMN|TYPE|SCHEMA)\b|\bRENAME\b|\bSET NOT NULL\b|\bSET DATA TYPE\b/i, name)
  }
})
