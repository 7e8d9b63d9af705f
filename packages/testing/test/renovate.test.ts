/** Renovate finds what a command names with its version, and not only what a manifest lists. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const Config = Type.Object({
  extends: Type.Array(Type.String()),
  customManagers: Type.Array(
    Type.Object({ managerFilePatterns: Type.Array(Type.String()), matchStrings: Type.Array(Type.String()) }),
  ),
})

t.test('every version of pnpm in a command is found, and images get digests', async (t) => {
  const config = Value.Parse(Config, JSON.parse(await readFile(`${root}.github/renovate.json`, 'utf8')))
  t.ok(config.extends.includes('docker:pinDigests'))
  const [manager] = config.customManagers
  const patterns = (manager?.managerFilePatterns ?? []).map((pattern) => new RegExp(pattern.slice(1, -1)))
  const { stdout } = await promisify(execFile)('git', ['grep', '-lE', 'pnpm@[0-9]+\\.[0-9]+\\.[0-9]+'], { cwd: root })
  const files = stdout.split('\n').filter((file) => /\.(json|ts)$|Dockerfile$|^\.ci\//.test(file))
  t.ok(files.includes('package.json') && files.includes('.docker/Dockerfile'), files.join())
  for (const file of files)
    t.ok(
      patterns.some((pattern) => pattern.test(file)),
      file,
    )
  const [found] = manager?.matchStrings ?? []
  const matches = [...(await readFile(`${root}package.json`, 'utf8')).matchAll(new RegExp(found ?? '', 'g'))]
  t.ok(matches.length > 1 && matches.every(({ groups }) => /^\d+\.\d+\.\d+$/.test(groups?.currentValue ?? '')))
})
