/** The targets of links in Markdown files exist, headings included. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const notOurs = new Set(['node_modules', '.git', '.build', '.playtherapy', '.tap'])

/** Returns the paths, relative to the root, of all files below a folder whose names have this ending. */
const filesIn = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return notOurs.has(entry.name) ? [] : filesIn(path, ending)
    return entry.name.endsWith(ending) ? [path] : []
  })

/** Returns the text without its code blocks, in which brackets are no links and `#` begins no heading. */
const proseOf = (path: string) => readFileSync(join(root, path), 'utf8').replace(/^```[\s\S]*?^```$/gm, '')

/** Returns the anchors that GitHub gives the headings of a document. */
const anchorsOf = (path: string) =>
  [...proseOf(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )

/** Returns why a link is dead; undefined if it is not. */
function whyDead(document: string, link: string): string | undefined {
  const [file = '', anchor] = link.split('#')
  const target = file ? join(dirname(document), file) : document
  if (!existsSync(join(root, target))) return 'no such file'
  if (statSync(join(root, target)).isDirectory()) return 'a folder'
  return anchor && !anchorsOf(target).includes(anchor) ? 'no such heading' : undefined
}

t.test('no link of the documents is dead', async (t) => {
  const links = filesIn('', '.md').flatMap((document) =>
    [...proseOf(document).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) =>
      /^[a-z]+:/.test(link) ? [] : [{ document, link }],
    ),
  )
  t.ok(links.length > 30, 'links are found')
  t.strictSame(
    links.flatMap(({ document, link }) => {
      const reason = whyDead(document, link)
      return reason ? [`${document}: ${link}: ${reason}`] : []
    }),
    [],
  )
})

t.test('every file of services and packages that a document names is there', async (t) => {
  const named = filesIn('', '.md').flatMap((document) =>
    [...readFileSync(join(root, document), 'utf8').matchAll(/\b(?:services|packages)\/[\w.@/-]*\w/g)].map(
      ([path]) => path,
    ),
  )
  t.ok(named.length > 30, 'they are found')
  t.strictSame(
    named.filter((path) => !existsSync(join(root, path))),
    [],
  )
})

t.test('every service and package says in a README what it is for', async (t) => {
  const manifests = ['services', 'packages'].flatMap((folder) => filesIn(folder, 'package.json'))
  t.ok(manifests.length > 10, 'they are found')
  for (const manifest of manifests) t.ok(existsSync(join(root, dirname(manifest), 'README.md')), dirname(manifest))
})
