import { existsSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ParseResult, parseSync } from 'oxc-parser'

/** A source file of a service or a package. TypeScript 7 offers no parser, so oxc parses it. */
export interface Source {
  /** Relative to the root of the repository: `services/script/src/app.ts`. */
  path: string
  text: string
  parsed: ParseResult
}

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Reads the sources of every service and package, without tests. */
export async function sources(): Promise<Source[]> {
  const found: Source[] = []
  for (const kind of ['services', 'packages']) {
    for (const room of await readdir(join(root, kind))) {
      const folder = join(root, kind, room, 'src')
      // A folder of documents has no sources.
      if (!existsSync(folder)) continue
      for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue
        const file = join(entry.parentPath, entry.name)
        const text = readFileSync(file, 'utf8')
        found.push({ path: relative(root, file), text, parsed: parseSync(file, text) })
      }
    }
  }
  return found
}
