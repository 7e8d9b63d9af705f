import { type Node, parseSync, Visitor } from 'oxc-parser'
import t from 'tap'
import { type Source, sources } from './sources.ts'

/** Tables whose rows belong to one therapist. */
const owned = new Set([
  'cases',
  'sessions',
  'videos',
  'renditions',
  'audioRenditions',
  'scriptVersions',
  'scriptPages',
  'reportVersions',
])

/** Statements without a condition of ownership: the file or folder, the function where it is one, and why. */
const exceptions: { at: string; why: string }[] = [
  { at: 'services/worker/', why: 'The worker acts for no therapist. Its ids come from the database itself.' },
  { at: 'packages/intake/src/copies.ts mayBeCopy', why: 'It looks for recordings of other therapists.' },
  { at: 'packages/intake/src/', why: 'Its session was found to be the caller’s by the access guard.' },
  {
    at: 'packages/versions/src/report-steps.ts',
    why: 'Reports are saved by the analysis system, which has no therapist.',
  },
  { at: 'services/contents/src/reports/repository.ts storedScript', why: 'The analysis system has no therapist.' },
  {
    at: 'services/contents/src/cases/repository.ts columns',
    why: 'It counts the sessions of cases that were chosen by their therapist.',
  },
  {
    at: 'services/script/src/search/repository.ts keepPages',
    why: 'Its version was found for the caller by `unpagedScripts`.',
  },
  { at: 'packages/jobs/', why: 'The worker puts the jobs of all therapists in an order.' },
  { at: 'packages/bench/', why: 'It measures on a database of its own.' },
]

interface Unit {
  name: string
  start: number
  end: number
  /** Whether other units may refer to it by its name alone; a property is reached through its object. */
  isVariable: boolean
}

/** The functions and constants that a statement declares. */
function declaredBy(node: Node): Unit[] {
  if (node.type === 'ExportNamedDeclaration') return node.declaration ? declaredBy(node.declaration) : []
  const nodes =
    node.type === 'VariableDeclaration' ? node.declarations : node.type === 'FunctionDeclaration' ? [node] : []
  return nodes.flatMap(({ id, start, end }) =>
    id?.type === 'Identifier' ? [{ name: id.name, start, end, isVariable: true }] : [],
  )
}

/** The units of a factory, which is a function that returns an object: its constants, and the members of the object. */
function partsOf(node: Node): Unit[] {
  if (node.type === 'ExportNamedDeclaration') return node.declaration ? partsOf(node.declaration) : []
  if (node.type !== 'FunctionDeclaration') return []
  const body = node.body?.body ?? []
  const result = body.find((statement) => statement.type === 'ReturnStatement')?.argument
  if (result?.type !== 'ObjectExpression') return []
  const members = result.properties.flatMap((property): Unit[] => {
    if (property.type !== 'Property' || property.key.type !== 'Identifier') return []
    return [{ name: property.key.name, start: property.start, end: property.end, isVariable: false }]
  })
  return [...body.flatMap(declaredBy), ...members]
}

const unitsOf = ({ parsed }: Source): Unit[] =>
  parsed.program.body.flatMap((node) => [...declaredBy(node), ...partsOf(node)])

/** Methods that begin a statement, or join a table to one. */
const queries = ['from', 'update', 'delete', '$count', 'innerJoin', 'leftJoin']

/** Returns where a file reads, changes or deletes rows of these tables. */
function statementsOf({ parsed }: Source): number[] {
  const tables = new Set<string>()
  for (const { moduleRequest, entries } of parsed.module.staticImports) {
    if (moduleRequest.value !== '@playtherapy/schema') continue
    for (const { localName } of entries) if (owned.has(localName.value)) tables.add(localName.value)
  }
  const found: number[] = []
  const isTable = (node: Node | undefined) => node?.type === 'Identifier' && tables.has(node.name)
  new Visitor({
    CallExpression({ callee, arguments: given, start }) {
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return
      if (queries.includes(callee.property.name) && isTable(given[0])) found.push(start)
    },
    TaggedTemplateExpression({ tag, quasi, start }) {
      if (tag.type !== 'Identifier' || tag.name !== 'sql') return
      const words = quasi.quasis.map(({ value }) => value.raw)
      if (!/\b(select|update|delete)\b/.test(words.join(' '))) return
      const names = quasi.expressions.map(
        (node, index) => isTable(node) && /\b(from|join|update)\s+$/.test(words[index] ?? ''),
      )
      if (names.some(Boolean)) found.push(start)
    },
  }).visit(parsed.program)
  return found
}

/** Whether a unit, or what it refers to in its file, has a condition of ownership. */
function isScoped(source: Source, unit: Unit, units: Unit[], seen = new Set<Unit>()): boolean {
  seen.add(unit)
  const text = source.text.slice(unit.start, unit.end)
  if (/\bown(Cases?|Sessions?)\(/.test(text)) return true
  const words = new Set(text.match(/[\w$]+/g))
  return units.some(
    (other) => other.isVariable && words.has(other.name) && !seen.has(other) && isScoped(source, other, units, seen),
  )
}

/** The statements of a file that have no condition of ownership, as `file function`. */
function unscoped(source: Source): string[] {
  const units = unitsOf(source)
  return statementsOf(source).flatMap((at) => {
    const around = units.filter(({ start, end }) => start <= at && at < end)
    const smallest = around.sort((a, b) => a.end - a.start - (b.end - b.start))[0]
    if (smallest && isScoped(source, smallest, units)) return []
    return [`${source.path} ${smallest?.name ?? ''}`]
  })
}

t.test('every statement on a therapist’s rows is scoped by its therapist', async (t) => {
  const all = await sources()
  const found = all.filter(({ path }) => !path.startsWith('packages/schema/')).flatMap(unscoped)
  t.strictSame(
    found.filter((place) => !exceptions.some(({ at }) => place.startsWith(at))),
    [],
    'use ownCase, ownCases, ownSession or ownSessions of @playtherapy/schema',
  )
  t.strictSame(
    exceptions.filter(({ at }) => !found.some((place) => place.startsWith(at))),
    [],
    'no exception outlives its reason',
  )
})

t.test('a statement without its therapist is found, however it is written', async (t) => {
  const check = (code: string) => {
    const text = `import { cases, ownCases, sessions, videos } from '@playtherapy/schema'\n${code}`
    return unscoped({ path: 'a.ts', text, parsed: parseSync('a.ts', text) })
  }
  for (const query of [
    'db.select().from(sessions).where(eq(sessions.id, id))',
    'db.select().from(other).innerJoin(sessions, on)',
    'db.update(sessions).set({ name })',
    'tx.delete(videos).where(eq(videos.id, id))',
    'db.$count(cases)',
    `db.execute(sql\`select 1 from \${sessions} where id = \${id}\`)`,
    `db.execute(sql\`with a as (select 1) update \${cases} set name = 1\`)`,
    `db.execute(sql\`select 1 from other join \${videos} on true\`)`,
  ]) {
    t.strictSame(check(`export const find = () => ${query}`), ['a.ts find'], query)
    t.strictSame(check(`export function all(db) { return { find: () => ${query} } }`), ['a.ts find'], query)
    t.strictSame(check(`const own = ownCases(7)\nexport const find = () => [own, ${query}]`), [], query)
  }
})
