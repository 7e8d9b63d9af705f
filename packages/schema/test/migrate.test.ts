import { readdirSync, readFileSync } from 'node:fs'
import { migrate } from '@playtherapy/schema/migrate'
import { emptyDatabase, olderDatabase, until } from '@playtherapy/testing'
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

/** Begins an upgrade beside a request that holds locks, and waits until it waits for one of them. */
async function beginUpgrade(url: string, sql: postgres.Sql): Promise<{ upgrade: Promise<unknown> }> {
  const upgrade = migrate(url)
  upgrade.catch(() => {})
  await until(
    'the upgrade waits',
    () =>
      sql`select 1 from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())`,
    (waiting) => waiting.length > 0,
  )
  return { upgrade }
}

for (const last of [17, 19, 21]) {
  t.test(
    `an upgrade from migration ${last} and a request that changes a session, announces a job and changes its video both end`,
    async (t) => {
      const url = await olderDatabase(t, last)
      const sql = postgres(url, { max: 3, onnotice: () => {} })
      t.teardown(() => sql.end())
      await sql`insert into cases (id, user_id, given_name) overriding system value values (1, 7, 'x')`
      await sql`insert into sessions (id, case_id, name) overriding system value values (1, 1, 'x')`
      const { upgrade } = await sql.begin(async (request) => {
        await request`update sessions set name = 'y'`
        await request`insert into outbox (name, payload) values ('encode-video', '{}')`
        const begun = await beginUpgrade(url, sql)
        await request`update videos set received = 1`
        return begun
      })
      await upgrade
      t.same(await sql`select name from sessions`, [{ name: 'y' }])
    },
  )
}

/** Requests of the release before that lock tables in different orders. */
const requests = {
  'deletes a case': ['delete from cases', 'insert into erasures (case_id) values (1)'],
  'saves a script': ["update script_versions set state = 'stored'", "update sessions set name = 'x'"],
  'ends an erasure': ['update erasures set created_at = now()', 'update installation set changes_forgotten = 1'],
}
for (const [what, [first = '', second = '']] of Object.entries(requests)) {
  t.test(`an upgrade that brings receipts and the audit trail, and a request that ${what}, both end`, async (t) => {
    const url = await olderDatabase(t, 23)
    const sql = postgres(url, { max: 3, onnotice: () => {} })
    t.teardown(() => sql.end())
    const { upgrade } = await sql.begin(async (request) => {
      await request.unsafe(first)
      const begun = await beginUpgrade(url, sql)
      await request.unsafe(second)
      return begun
    })
    await upgrade
    t.match(await sql`select audit_years from installation`, [{ audit_years: 6 }])
  })
}

/**
 * What no table that was there before may lose: its parts, their names and types, or a null that old code writes. A function may drop
 * partitions of the audit trail: a month, which it names only when it runs, and that of all else, which it makes anew at once.
 */
const takesAway =
  /\bDROP (TABLE(?! %I| audit_events_other;)|COLUMN|TYPE|SCHEMA|DEFAULT)\b|\bRENAME\b|\bSET NOT NULL\b|\bALTER (COLUMN )?"?\w+"? (SET DATA )?TYPE\b/i

const namesIn = (text: string, pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([, name = '']) => name))

/**
 * The statements of a migration that the code of the release before may fail on. On a table that the migration itself
 * makes, everything is allowed. On another, a new column needs a default or null, and a constraint has to name a column
 * that the same migration adds: old code leaves that one null, or at its default.
 */
function objectionsTo(migration: string): string[] {
  const newTables = namesIn(migration, /CREATE TABLE "?(\w+)/gi)
  const newColumns = namesIn(migration, /ADD COLUMN "?(\w+)/gi)
  return migration.split('--> statement-breakpoint').filter((statement) => {
    if (takesAway.test(statement)) return true
    const table = /(?:ALTER TABLE|CREATE UNIQUE INDEX .* ON) "?(\w+)/i.exec(statement)?.[1]
    if (table === undefined || newTables.has(table)) return false
    if (/ADD COLUMN/i.test(statement)) return /NOT NULL/i.test(statement) && !/DEFAULT|GENERATED/i.test(statement)
    if (!/ADD (CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)|UNIQUE INDEX/i.test(statement)) return false
    return ![...namesIn(statement, /"(\w+)"/g)].some((name) => newColumns.has(name))
  })
}

t.test('migrations only add, so that old code works on the new schema while both run', async (t) => {
  const folder = new URL('../migrations/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'))
  t.ok(files.length > 0)
  for (const name of files) t.strictSame(objectionsTo(readFileSync(new URL(name, folder), 'utf8')), [], name)
})

t.test('no migration waits for a lock as long as the server waits before it looks for deadlocks', async (t) => {
  const folder = new URL('../migrations/', import.meta.url)
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.sql'))) {
    const waits = readFileSync(new URL(name, folder), 'utf8').matchAll(/lock_timeout = '(.*?)'/g)
    for (const [, wait] of waits) t.equal(wait, '500ms', name)
  }
})

t.test('what old code would fail on is found in a migration', async (t) => {
  for (const statement of [
    'ALTER TABLE "cases" DROP COLUMN "given_name"',
    'ALTER TABLE "cases" RENAME COLUMN "given_name" TO "name"',
    'ALTER TABLE "cases" ALTER COLUMN "family_name" SET NOT NULL',
    'ALTER TABLE "cases" ALTER COLUMN "family_name" SET DATA TYPE varchar(10)',
    'ALTER TABLE "cases" ADD COLUMN "age" integer NOT NULL',
    'ALTER TABLE "cases" ADD CONSTRAINT "cases_named" CHECK ("cases"."family_name" is not null)',
    'CREATE UNIQUE INDEX "cases_name" ON "cases" USING btree ("given_name")',
  ]) {
    t.strictSame(objectionsTo(statement), [statement])
  }
  const harmless = `CREATE TABLE "notes" ("id" integer NOT NULL);--> statement-breakpoint
    ALTER TABLE "notes" ADD CONSTRAINT "notes_id" UNIQUE ("id");--> statement-breakpoint
    ALTER TABLE "cases" ADD COLUMN "age" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
    ALTER TABLE "cases" ADD CONSTRAINT "cases_age" CHECK ("cases"."age" >= 0);--> statement-breakpoint
    CREATE INDEX "cases_age_index" ON "cases" USING btree ("age")`
  t.strictSame(objectionsTo(harmless), [])
})
