import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Where tap keeps the output of each test file, by the file's own path. */
const results = '.tap/test-results'

/**
 * What failed since this time (milliseconds), file by file, with the first lines of its diagnosis. A run prints some
 * twenty thousand lines, and whoever reads the end of a log needs to see there what was wrong.
 */
export async function failuresSince(started: number): Promise<string[]> {
  // In a fresh clone whose checks have failed no test has run.
  if (!existsSync(results)) return []
  const lines: string[] = []
  const files = await readdir(results, { recursive: true })
  for (const file of files.filter((name) => name.endsWith('.tap')).sort()) {
    const path = join(results, file)
    if ((await stat(path)).mtimeMs < started) continue
    const tap = await readFile(path, 'utf8')
    const failed = /^1\.\.\d+(?! # no tests)/m.test(tap)
      ? failuresOf(tap)
      : ['  It ended before its last test; its error is above.']
    if (failed.length > 0) lines.push(file.slice(0, -'.tap'.length), ...failed)
  }
  return lines
}

/** The failed points of one TAP stream, each with at most 25 lines of what follows it. */
function failuresOf(tap: string): string[] {
  const lines = tap.split('\n')
  return lines.flatMap((line, at) => {
    if (!/^\s*not ok\b/.test(line) || /# (?:skip|todo)\b/i.test(line)) return []
    const rest = lines.slice(at + 1, at + 26)
    const end = rest.findIndex((next) => !/^\s{2,}\S|^\s*$/.test(next) || /^\s*(?:not )?ok\b|^\s*\d+\.\.\d+/.test(next))
    return [line, ...rest.slice(0, end < 0 ? rest.length : end)].map((text) => `  ${text}`)
  })
}
