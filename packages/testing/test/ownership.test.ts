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
  'tusUploads',
  'tusParts',
  'encodePlans',
  'chunks',
  'chunkFiles',
  'rungs',
  'previews',
  'scriptVersions',
  'scriptPages',
  'reportVersions',
  'auditEvents',
  'caseExports',
])

/** Statements without a condition of ownership: the file or folder, the function where it is one, and why. */
const exceptions: { at: string; why: string }[] = [
  { at: 'services/worker/', why: 'The worker acts for no therapist. Its ids come from the database itself.' },
  { at: 'packages/intake/src/copies.ts mayBeCopy', why: 'It looks for recordings of other therapists.' },
  ...['presigned.ts issuePresigned', 'presigned.ts claim', 'register-original.ts', 'reserve-video.ts'].map((place) => ({
    at: `packages/intake/src/${place}`,
    why: 'The guard found its session to be the caller’s.',
  })),
  {
    at: 'packages/intake/src/presigned.ts isAwaited',
    why: 'The signature of the URL, which its therapist was given, names the object.',
  },
  ...['presigned.ts renewLease', 'presigned.ts giveBack'].map((place) => ({
    at: `packages/intake/src/${place}`,
    why: 'The row is the one that `claim` found.',
  })),
  ...['repository.ts find', 'repository.ts removeOpen', 'repository.ts forget', 'lease.ts claim'].map((place) => ({
    at: `packages/intake/src/tus/${place}`,
    why: 'The guard found its session to be the caller’s.',
  })),
  ...['prepareSave', 'partsOf', 'release'].map((name) => ({
    at: `packages/intake/src/tus/lease.ts ${name}`,
    why: 'The upload is the one that `claim` found.',
  })),
  ...['receiveOriginal', 'renew', 'discard'].map((place) => ({
    at: `packages/intake/src/receive-original.ts ${place}`,
    why: 'The row is the one that this upload inserted.',
  })),
  {
    at: 'packages/versions/src/script-steps.ts commit',
    why: 'Its transaction begins by locking the session of the caller.',
  },
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
  {
    at: 'services/media/src/hls/repository.ts extents',
    why: 'It is a part of statements that select a session of the caller.',
  },
  ...['readRung', 'files'].map((name) => ({
    at: `services/media/src/hls/repository.ts ${name}`,
    why: 'Its video was found for the caller by `findOutline`.',
  })),
  {
    at: 'services/media/src/links/repository.ts guardParts',
    why: 'It is a part of statements that choose the session of the caller.',
  },
  { at: 'packages/jobs/', why: 'The worker puts the jobs of all therapists in an order.' },
  { at: 'packages/testing/src/chunks.ts', why: 'Tests play the worker, which acts for no therapist.' },
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

/** A statement of a file, from its first call to its last: `db.select().from(cases).where(…)`. */
interface Statement {
  start: number
  end: number
  /** The variable that holds it, if it is a part of other statements. */
  name?: string | undefined
}

/** Returns where a file reads, changes or deletes rows of these tables. */
function statementsOf({ parsed }: Source): Statement[] {
  const tables = new Set<string>()
  for (const { moduleRequest, entries } of parsed.module.staticImports) {
    if (moduleRequest.value !== '@playtherapy/schema') continue
    for (const { importName, localName } of entries) {
      if (owned.has(importName.name ?? '')) tables.add(localName.value)
    }
  }
  const isTable = (node: Node | null | undefined) => node?.type === 'Identifier' && tables.has(node.name)
  const found: Statement[] = []
  const calls: Statement[] = []
  const variables: (Statement & { name: string })[] = []
  new Visitor({
    VariableDeclarator({ id, init, start, end }) {
      if (id.type !== 'Identifier') return
      variables.push({ name: id.name, start, end })
      if (init?.type !== 'CallExpression' || init.callee.type !== 'Identifier') return
      if (init.callee.name === 'alias' && isTable(init.arguments[0])) tables.add(id.name)
    },
  }).visit(parsed.program)
  new Visitor({
    CallExpression({ callee, arguments: given, start, end }) {
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return
      calls.push({ start, end })
      if (queries.includes(callee.property.name) && isTable(given[0])) found.push({ start, end })
    },
    TaggedTemplateExpression({ tag, quasi, start, end }) {
      if (tag.type !== 'Identifier' || tag.name !== 'sql') return
      const words = quasi.quasis.map(({ value }) => value.raw)
      if (!/\b(select|update|delete)\b/.test(words.join(' '))) return
      const names = quasi.expressions.map(
        (node, index) => isTable(node) && /\b(from|join|update)\s+$/.test(words[index] ?? ''),
      )
      if (names.some(Boolean)) found.push({ start, end })
    },
  }).visit(parsed.program)
  // Calls in a chain begin at the same place, so the longest of them is the whole statement.
  const whole = ({ start, end }: Statement) =>
    Math.max(end, ...calls.map((call) => (call.start === start ? call.end : 0)))
  return found.map((statement) => {
    const holders = variables.filter(({ start, end }) => start < statement.start && statement.end <= end)
    return { ...statement, end: whole(statement), name: holders.at(-1)?.name }
  })
}

/** Whether a piece of a file, or what it refers to there, has a condition of ownership. */
function isScoped(source: Source, piece: Statement, units: Unit[], seen = new Set<Unit>()): boolean {
  const text = source.text.slice(piece.start, piece.end)
  if (/\bown(Cases?|Sessions?)\(/.test(text)) return true
  const words = new Set(text.match(/[\w$]+/g))
  return units.some((unit) => {
    if (!unit.isVariable || !words.has(unit.name) || seen.has(unit)) return false
    seen.add(unit)
    return isScoped(source, unit, units, seen)
  })
}

/** The statements of a file that have no condition of ownership, as `file function`. */
function unscoped(source: Source): string[] {
  const units = unitsOf(source)
  const all = statementsOf(source)
  const unitAt = (at: number) =>
    units.filter(({ start, end }) => start <= at && at < end).sort((a, b) => a.end - a.start - (b.end - b.start))[0]
  const scoped = all.filter((statement) => isScoped(source, statement, units))
  return all.flatMap((statement) => {
    const unit = unitAt(statement.start)
    const uses = new RegExp(`\\b${statement.name}\\b`)
    const isPart = scoped.some(
      ({ start, end }) => unitAt(start) === unit && statement.name && uses.test(source.text.slice(start, end)),
    )
    return scoped.includes(statement) || isPart ? [] : [`${source.path} ${unit?.name ?? ''}`]
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
    const beside = `db.select().from(cases).where(ownCases(7))`
    t.strictSame(check(`export const find = () => [${beside}, ${query}]`), ['a.ts find'], 'one scoped, one not')
  }
  t.strictSame(check(`const other = alias(cases, 'o')\nexport const find = () => db.select().from(other)`), [
    'a.ts find',
  ])
  for (const query of [
    'db.select().from(cases).where(own)',
    `db.execute(sql\`select 1 from \${cases} where \${own}\`)`,
    'db.delete(sessions).where(inArray(sessions.caseId, db.select().from(cases).where(own)))',
  ]) {
    t.strictSame(check(`const own = ownCases(7)\nexport const find = () => ${query}`), [], query)
  }
})
