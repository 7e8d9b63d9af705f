import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import t from 'tap'
import { type Source, sources } from './sources.ts'

/** The rooms from the bottom to the top. A source may import from rooms below its own, and from no other. */
const rooms = [
  ['tracing'],
  ['client', 'embedded-postgres', 'object-store', 'schema'],
  ['console', 'intake', 'jobs', 'service-kit', 'versions'],
  ['programs'],
  ['contents', 'media', 'script', 'worker'],
  ['testing'],
  ['bench', 'local-stack'],
]

/** The same for the folders of the script service; `app` stands for the files beside them. */
const scriptFloors = [
  ['records'],
  ['scripts'],
  ['export', 'import', 'search', 'summary', 'versions'],
  ['work'],
  ['app'],
]

const floorOf = (floors: string[][], name: string) => floors.findIndex((floor) => floor.includes(name))
const mayImport = (floors: string[][], from: string, to: string) =>
  from === to || (floorOf(floors, to) >= 0 && floorOf(floors, to) < floorOf(floors, from))

/** Returns the module names that a source imports or re-exports, types included, as they are written there. */
function importsOf({ parsed, text }: Source): string[] {
  const { staticImports, staticExports, dynamicImports } = parsed.module
  return [
    ...staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...staticExports.flatMap(({ entries }) => entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? [])),
    ...dynamicImports.map(({ moduleRequest: { start, end } }) => text.slice(start + 1, end - 1)),
  ]
}

const roomOf = (path: string) => path.split('/')[1] ?? ''

/** The rooms that the README of a room allows it to import. */
function allowedBy(kind: string, room: string): string[] {
  const readme = readFileSync(new URL(`../../../${kind}/${room}/README.md`, import.meta.url), 'utf8')
  const names = /\*\*May import\*\*: ([^;.]*)/.exec(readme)?.[1]?.split(/, | and /) ?? []
  const groups: Record<string, string[]> = { 'nothing of ours': [], packages: rooms.flat(), services: rooms.flat() }
  return names.flatMap((name) => groups[name] ?? [name])
}

t.test('rooms import one way', async (t) => {
  const all = await sources()
  t.strictSame(
    [...new Set(all.map(({ path }) => roomOf(path)))].filter((room) => floorOf(rooms, room) < 0),
    [],
  )
  for (const source of all) {
    for (const wanted of importsOf(source)) {
      const room = /^@playtherapy\/([^/]+)/.exec(wanted)?.[1]
      const file = join(dirname(source.path), wanted)
      // The root's package.json has the version of everything.
      if (file === 'package.json') continue
      if (room && !mayImport(rooms, roomOf(source.path), room)) t.fail(`${source.path} imports ${wanted}`)
      if (wanted.startsWith('.') && roomOf(file) !== roomOf(source.path)) t.fail(`${source.path} imports ${wanted}`)
    }
  }
})

t.test('a room imports only what its README allows', async (t) => {
  for (const { path, ...source } of await sources()) {
    const [kind = '', room = ''] = path.split('/')
    const imported = importsOf({ path, ...source }).flatMap((name) => /^@playtherapy\/([^/]+)/.exec(name)?.[1] ?? [])
    const allowed = allowedBy(kind, room)
    t.strictSame(
      imported.filter((name) => name !== room && !allowed.includes(name)),
      [],
      path,
    )
  }
})

t.test('the folders of the script service import one way', async (t) => {
  const root = 'services/script/src'
  const folderOf = (path: string) => (dirname(path) === root ? 'app' : (path.split('/')[3] ?? ''))
  const own = (await sources()).filter(({ path }) => path.startsWith(`${root}/`))
  t.ok(own.length > 0)
  for (const source of own) {
    for (const wanted of importsOf(source).filter((name) => name.startsWith('.'))) {
      const file = join(dirname(source.path), wanted)
      if (!mayImport(scriptFloors, folderOf(source.path), folderOf(file))) t.fail(`${source.path} imports ${wanted}`)
    }
  }
})
