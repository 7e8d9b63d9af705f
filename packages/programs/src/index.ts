import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { buildConsole } from '@playtherapy/console'
import { build, type Plugin } from 'esbuild'
import { thirdParty } from './third-party.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = join(root, '.build')
/** Where the inventory and the notices of each bundle are: `third-party.ts`. */
export const thirdPartyFolder = join(folder, 'third-party')

const sources = {
  contents: 'services/contents/src/server.ts',
  media: 'services/media/src/server.ts',
  script: 'services/script/src/server.ts',
  worker: 'services/worker/src/server.ts',
  migrate: 'services/worker/src/commands/migrate.ts',
  'prepare-bucket': 'services/worker/src/commands/prepare-bucket.ts',
  jobs: 'services/worker/src/commands/jobs.ts',
  audit: 'services/worker/src/commands/audit.ts',
  'sweep-orphans': 'services/worker/src/commands/sweep-orphans.ts',
  erasure: 'services/worker/src/commands/erasure.ts',
  retention: 'services/worker/src/commands/retention.ts',
  'import-case': 'services/worker/src/commands/import-case.ts',
  ready: '.docker/ready.ts',
}

/** Folder of the library whose pool runs threads. */
const poolFolder = dirname(fileURLToPath(import.meta.resolve('piscina')))

/** What threads of these programs run. */
const threads = {
  // Where the library starts its threads, and what they load.
  'pool-thread': join(poolFolder, 'worker.js'),
  'script-thread': 'services/script/src/work/thread.ts',
}

/** A process or command that runs in production. */
export type Program = keyof typeof sources

/**
 * Options of node for every program, as in the images. Source maps make errors name our sources. Without the second option
 * V8 allocates the objects of running requests as long-lived, and only full collections free them, which cost a quarter of
 * the CPU of a short response.
 *
 * The others make what a program takes the same in every container. Without them V8 chooses from the memory limit: with 384 MiB
 * it has 1 MiB for new objects, so that short-lived ones need a full collection, too; with more it has up to 32 MiB, in which the
 * pieces of a recording wait as 100 MiB of garbage; and with up to 2 GiB it begins a full collection when half as much
 * garbage as is used lies there, which is many times a second while recordings pass.
 */
export const nodeOptions = [
  '--enable-source-maps',
  '--no-allocation-site-pretenuring',
  '--max-semi-space-size=2',
  '--heap-growing-percent=100',
]

/** The file that node runs; {@link buildPrograms} makes it. Throws where a test run has not built it. */
export function programPath(program: Program): string {
  if (process.env.TEST_WITHOUT_PROGRAMS) {
    throw new Error('This test runs a bundled program, which only `npm test -- FILE` builds')
  }
  return join(folder, 'programs', `${program}.mjs`)
}

/** How the pool names the file of its threads, beside its own; a bundle has it among the programs. */
const poolThread = "'worker.js'"

/**
 * Leaves libraries out of the source maps. Node reads a map whole when it first has to name a place in its file, and
 * with theirs a process would stand still for half a second at its first error.
 */
const mapsOfOwnSources: Plugin = {
  name: 'maps-of-own-sources',
  setup({ onLoad }) {
    const empty = Buffer.from('{"version":3,"sources":[""],"mappings":"AAAA"}').toString('base64')
    onLoad({ filter: /node_modules.*\.[cm]?js$/ }, async ({ path }) => {
      const code = await readFile(path, 'utf8')
      const placed = path.startsWith(poolFolder) ? code.replace(poolThread, "'../programs/pool-thread.mjs'") : code
      return { contents: `${placed}\n//# sourceMappingURL=data:application/json;base64,${empty}` }
    })
  },
}

/** Libraries that were written for CommonJS ask for these. */
const commonJs = `
import { createRequire as createRequireOfBundle } from 'node:module'
const require = createRequireOfBundle(import.meta.url)
const __filename = import.meta.filename
const __dirname = import.meta.dirname`

/** The commit of this checkout: that of the image's build argument, else git's; `unknown` where there is neither. */
async function currentCommit(): Promise<string> {
  if (process.env.COMMIT) return process.env.COMMIT
  return promisify(execFile)('git', ['rev-parse', '--short', 'HEAD'], { cwd: root }).then(
    ({ stdout }) => stdout.trim(),
    () => 'unknown',
  )
}

/** Bundles every program. With `write` false it only tells what would be in the bundle. */
const bundle = (commit: string, write: boolean) =>
  build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(
      Object.entries({ ...sources, ...threads }).map(([name, source]) => [`programs/${name}`, source]),
    ),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    platform: 'node',
    // The S3 client's ES modules, of which only what is used comes along: parsing is a third of a start.
    mainFields: ['module', 'main'],
    minifySyntax: true,
    minifyWhitespace: true,
    target: 'node20',
    // This optional module is not installed; it is imported only if it exists.
    external: ['@napi-rs/nice'],
    format: 'esm',
    banner: { js: commonJs },
    define: { 'process.env.BUILD_COMMIT': JSON.stringify(commit) },
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    plugins: [mapsOfOwnSources, ...(write ? [thirdParty('programs', thirdPartyFolder)] : [])],
    write,
    logLevel: 'warning',
  })

/** Returns the paths of all files that are bundled into the programs, relative to the root of this repository. */
export async function bundledFiles(): Promise<string[]> {
  const { metafile } = await bundle('unknown', false)
  return [...new Set(Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs)))]
}

/**
 * Bundles every program with its libraries into `.build`, which needs nothing else to run: reading a handful of files
 * instead of some 1,500, a process starts in a fifth of the time. All JavaScript lies one folder deep, where
 * `../migrations` and `../static` (the API page's files) are found from. What is there already stays: a running process
 * may still load a part of it.
 */
export async function buildPrograms(): Promise<void> {
  await bundle(await currentCommit(), true)
  const page = dirname(fileURLToPath(import.meta.resolve('@fastify/swagger-ui')))
  await cp(join(page, 'static'), join(folder, 'static'), { recursive: true })
  await cp(join(root, 'packages/schema/migrations'), join(folder, 'migrations'), { recursive: true })
  await writeConsole(join(folder, 'console'))
}

/** Writes the files of the console for the gateway, each beside a compressed copy, with the notices of the packages that are in them. */
export async function writeConsole(into: string): Promise<void> {
  await mkdir(into, { recursive: true })
  const notices = 'notices.txt'
  const files = await buildConsole({ notices, plugins: [thirdParty('console', thirdPartyFolder)] })
  const all = [...files, [notices, await readFile(join(thirdPartyFolder, 'console.txt'))] as const]
  for (const [name, bytes] of all) {
    await writeFile(join(into, name), bytes)
    await writeFile(join(into, `${name}.gz`), gzipSync(bytes, { level: 9 }))
  }
}
