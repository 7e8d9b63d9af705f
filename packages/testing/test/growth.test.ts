/** Everything that is stored is in the list of what grows and what bounds it. */
import { readFile } from 'node:fs/promises'
import { folders } from '@playtherapy/object-store'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { testDatabase } from '../src/index.ts'

const text = await readFile(new URL('../../growth.md', import.meta.url), 'utf8')

/** The first cells of the rows of the table below a heading. */
function listed(heading: string): string[] {
  const [, section = ''] = text.split(`\n## ${heading}\n`)
  const [own = ''] = section.split('\n## ')
  return [...own.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = '']) => name).sort()
}

t.test('each table is in the list', async (t) => {
  const { db } = await testDatabase(t)
  const tables = await db.execute<{ name: string }>(
    sql`select relname as name from pg_class join pg_namespace on pg_namespace.oid = relnamespace
      where nspname in ('public', 'drizzle') and relkind in ('r', 'p') and not relispartition`,
  )
  t.strictSame(listed('Tables'), tables.map(({ name }) => name).sort())
  const schemas = await db.execute<{ name: string }>(
    sql`select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'`,
  )
  t.strictSame(schemas.map(({ name }) => name).sort(), ['bullmq', 'drizzle', 'public'])
})

t.test('each folder of the object store is in the list', async (t) => {
  // The only file that composes keys.
  const source = await readFile(new URL('../../object-store/src/keys.ts', import.meta.url), 'utf8')
  const code = source.replace(/^ *(\/\*\*|\*|\/\/).*$/gm, '')
  const named = [...code.matchAll(/['`]((?:\w+\/)+)/g)].map(([, prefix = '']) => prefix)
  const firsts = new Set([
    ...folders.map((folder) => `${folder}/`),
    ...named.map((prefix) => `${prefix.split('/')[0]}/`),
  ])
  const rows = listed('Objects')
  t.ok(firsts.size >= 6)
  for (const first of firsts) t.ok(rows.includes(first), first)
})

t.test('rows that name a deleted one are found by an index', async (t) => {
  const { db } = await testDatabase(t)
  const slow = await db.execute(
    sql`select conname from pg_constraint where contype = 'f' and not exists (
      select from pg_index where indrelid = conrelid and indpred is null and indkey[0] = any(conkey))`,
  )
  t.strictSame([...slow], [])
})
