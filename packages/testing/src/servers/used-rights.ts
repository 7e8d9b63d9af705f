import { type Role, rights, roles } from '@playtherapy/schema/migrate'
import postgres from 'postgres'

/** Server settings with which it remembers every statement of every role, without those of triggers. */
export const rememberStatements = [
  'shared_preload_libraries=pg_stat_statements',
  'pg_stat_statements.max=50000',
  'pg_stat_statements.track_utility=off',
]

/** The bits of `requiredPerms` in a parse tree; of PostgreSQL's source, `nodes/parsenodes.h`. */
const verbs = { select: 2, insert: 1, update: 4, delete: 8 }
/** A column's place in a set of a parse tree, for the number 0. */
const firstColumn = 7

const permission =
  /\{RTEPERMISSIONINFO :relid (\d+) .*?:requiredPerms (\d+) .*?:selectedCols \(b([ \d]*)\) :insertedCols \(b([ \d]*)\) :updatedCols \(b([ \d]*)\)/g

interface Right {
  role: Role
  table: string
  verb: string
  /** Where the right is for some columns only. */
  column?: string
}

/** The rights as `rights` lists them, a column each where they are for columns. */
const granted = (): Right[] =>
  roles.flatMap((role) =>
    Object.entries(rights[role]).flatMap(([table, privileges]) =>
      [...privileges.matchAll(/(\w+)(?: \(([^)]*)\))?/g)].flatMap(([, verb = '', columns]): Right[] =>
        columns ? columns.split(', ').map((column) => ({ role, table, verb, column })) : [{ role, table, verb }],
      ),
    ),
  )

/**
 * Returns the rights that no statement needed which a role has sent to this server since it started: the parse trees of all its
 * statements say what each needs. `template` is the URL of a migrated database of the server, for its superuser.
 */
export async function unusedRights(template: string): Promise<string[]> {
  let trees = ''
  const sql = postgres(template, {
    max: 1,
    onnotice: ({ detail = '' }) => {
      trees += detail
    },
  })
  try {
    await sql`create extension if not exists pg_stat_statements`
    const sent = await sql<{ role: Role; query: string }[]>`
      select distinct rolname as role, query from pg_stat_statements join pg_roles on pg_roles.oid = userid
      where rolname = any(${[...roles]})`
    const names = await sql<{ relation: string; column: string; table: string; place: number }[]>`
      select attrelid::text as relation, attname as column, attnum as place,
        case when nspname = 'public' then relname else nspname || '.' || relname end as table
      from pg_attribute join pg_class on pg_class.oid = attrelid join pg_namespace on pg_namespace.oid = relnamespace
      where attnum > 0 and relkind in ('r', 'p')`
    const columnOf = new Map(names.map(({ relation, place, column }) => [`${relation} ${place}`, column]))
    const tableOf = new Map(names.map(({ relation, table }) => [relation, table]))
    await sql`set client_min_messages = log`
    await sql`set debug_print_parse = on`
    const used = new Set<string>()
    const unread: { role: Role; words: Set<string> }[] = []
    for (const { role, query } of sent) {
      trees = ''
      await sql
        .unsafe(query)
        .describe()
        .catch(() => {})
      for (const [, relation = '', needed, ...sets] of trees.replaceAll(/\s+/g, ' ').matchAll(permission)) {
        const table = tableOf.get(relation)
        for (const [verb, bit] of Object.entries(verbs)) {
          if (!(Number(needed) & bit)) continue
          used.add(`${role} ${table} ${verb}`)
          const places = sets[Object.keys(verbs).indexOf(verb)]?.match(/\d+/g) ?? []
          for (const place of places) {
            used.add(`${role} ${table} ${verb} ${columnOf.get(`${relation} ${Number(place) - firstColumn}`)}`)
          }
        }
      }
      // The server keeps a parameter in place of each constant, so that some statements have no tree any more: then words must do.
      if (trees === '') unread.push({ role, words: new Set(query.match(/\w+/g)) })
    }
    const isMentioned = ({ role, table, verb, column = verb }: Right) =>
      unread.some(
        ({ role: by, words }) =>
          by === role && [table.split(/[ .]/).at(-1) ?? '', column].every((word) => words.has(word)),
      )
    const isUsed = (right: Right) => used.has(Object.values(right).join(' ')) || isMentioned(right)
    return granted()
      .filter((right) => !right.table.includes(' ') && !isUsed(right))
      .map((right) => Object.values(right).join(' '))
  } finally {
    await sql.end()
  }
}
