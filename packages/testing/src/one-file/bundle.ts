import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { folder } from './hooks.ts'

/**
 * Bundles typebox into a handful of files, which tests load in place of its 620 modules. Finding and reading these was a
 * third of the CPU time in which a test file starts, and there are 160 test files.
 */
export async function bundleTypebox(): Promise<void> {
  const library = dirname(dirname(fileURLToPath(import.meta.resolve('typebox'))))
  const { exports } = JSON.parse(await readFile(join(library, 'package.json'), 'utf8'))
  await build({
    entryPoints: Object.fromEntries(
      Object.keys(exports).map((entry) => [join('typebox', entry), join(library, exports[entry].import)]),
    ),
    outdir: fileURLToPath(folder),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  })
}
