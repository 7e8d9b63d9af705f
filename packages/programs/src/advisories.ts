import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { thirdPartyFolder } from './index.ts'

/** The longest time in which the registry has to answer. */
const patienceMs = 60_000

const Inventory = Type.Object({
  components: Type.Array(
    Type.Object({ group: Type.Optional(Type.String()), name: Type.String(), version: Type.String() }),
  ),
})

const Severity = Type.Enum(['info', 'low', 'moderate', 'high', 'critical'])
const Report = Type.Object({
  auditReportVersion: Type.Literal(2),
  vulnerabilities: Type.Record(
    Type.String(),
    Type.Object({
      severity: Severity,
      /** The advisory itself, or the name of a package that brings it. */
      via: Type.Array(
        Type.Union([
          Type.String(),
          Type.Object({ name: Type.String(), severity: Severity, title: Type.String(), url: Type.String() }),
        ]),
      ),
    }),
  ),
})
const Failure = Type.Object({ message: Type.String() })

/** What is known of the versions that are shipped, or why it could not be asked. */
export type Advice = { known: string[] } | { unanswered: string }

/** Reads which packages of others the bundles hold, from the inventories that `buildPrograms` writes. */
async function shipped(): Promise<{ name: string; version: string }[]> {
  const bundles = ['programs', 'console'].map(async (bundle) => {
    const text = await readFile(join(thirdPartyFolder, `${bundle}.cdx.json`), 'utf8')
    const { components } = Value.Parse(Inventory, JSON.parse(text))
    return components.map(({ group, name, version }) => ({ name: group ? `${group}/${name}` : name, version }))
  })
  return (await Promise.all(bundles)).flat()
}

/** Writes a project of which npm knows only the lock file. Each package is there by an alias, as it can be shipped in two versions. */
async function writeProject(folder: string): Promise<void> {
  const packages = await shipped()
  const dependencies = Object.fromEntries(packages.map(({ name, version }, n) => [`p${n}`, `npm:${name}@${version}`]))
  const project = { name: 'shipped', version: '1.0.0', dependencies }
  const locked = Object.fromEntries(packages.map((each, n) => [`node_modules/p${n}`, each]))
  const lock = { ...project, lockfileVersion: 3, requires: true, packages: { '': project, ...locked } }
  await writeFile(join(folder, 'package.json'), JSON.stringify(project))
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock))
}

/** Runs `npm audit` in a folder. It exits with 1 for a weakness and for a registry that is down, so that its output decides. */
const audit = (folder: string, registry: string | undefined) =>
  new Promise<{ output: string; error: string }>((resolve) => {
    const args = ['audit', '--package-lock-only', '--json', ...(registry ? [`--registry=${registry}`] : [])]
    const env = { ...process.env, npm_config_fetch_retries: '0', npm_config_update_notifier: 'false' }
    const options = { cwd: folder, timeout: patienceMs, maxBuffer: 64 * 1024 ** 2, env }
    execFile('npm', args, options, (error, stdout) => {
      resolve({ output: stdout, error: error?.killed ? 'no answer within a minute' : `${error?.message ?? ''}` })
    })
  })

/**
 * Asks the registry for known weaknesses, high or critical, in what the bundles hold, by the npm that comes with Node. Call
 * `buildPrograms` before. A registry that does not answer, or not as it should, is no fault of the code, and only told.
 */
export async function askAdvisories(registry?: string): Promise<Advice> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-advisories-'))
  try {
    await writeProject(folder)
    const { output, error } = await audit(folder, registry)
    const found = tryParse(output)
    if (!Value.Check(Report, found)) {
      return { unanswered: Value.Check(Failure, found) ? found.message : error.slice(0, 200) || 'no report' }
    }
    const advisories = Object.values(found.vulnerabilities).flatMap(({ via }) =>
      via.flatMap((each) => (typeof each === 'string' ? [] : [each])),
    )
    const severe = advisories.filter(({ severity }) => severity === 'high' || severity === 'critical')
    const known = severe.map(({ name, severity, title, url }) => `${name}: ${severity}, ${title} ${url}`)
    return { known: [...new Set(known)] }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
