import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

/**
 * The pnpm of this repository asks where the npm registry has not answered since July 2026; a later one, which installs nothing
 * here, asks where it does.
 */
const pnpm = 'pnpm@12.21.0'
const patienceMs = 60_000

const Report = Type.Object({
  advisories: Type.Record(
    Type.String(),
    Type.Object({ module_name: Type.String(), severity: Type.String(), title: Type.String(), url: Type.String() }),
  ),
})

/** What is known of the versions in the lock file, or that it could not be asked. */
export type Advice = { known: string[] } | { unanswered: string }

/**
 * Asks the registry for known weaknesses, high or critical, in what runs in production, by `pnpm audit`. A registry that does not
 * answer is no fault of the code, and only told.
 */
export const askAdvisories = (registry?: string): Promise<Advice> =>
  new Promise((resolve) => {
    const args = ['-y', pnpm, 'audit', '--prod', '--json', '--audit-level', 'high']
    const options = {
      cwd: fileURLToPath(new URL('../../../', import.meta.url)),
      timeout: patienceMs,
      maxBuffer: 64 * 1024 ** 2,
      // It is another version than the one that package.json names, and is not to fetch that one.
      env: { ...process.env, pnpm_config_pm_on_fail: 'ignore', pnpm_config_fetch_retries: '0' },
    }
    const more = registry ? [`--registry=${registry}`] : []
    execFile('npx', [...args, ...more], options, (error, stdout, stderr) => {
      const found = stdout.indexOf('{') < 0 ? undefined : tryParse(stdout.slice(stdout.indexOf('{')))
      if (!Value.Check(Report, found)) {
        const why = /ERR_\w+|responded with \d+/g
        return resolve({ unanswered: (stdout + stderr).match(why)?.join(', ') ?? `${error?.message.slice(0, 200)}` })
      }
      const severe = Object.values(found.advisories).filter(({ severity }) => /high|critical/.test(severity))
      resolve({
        known: severe.map(({ module_name, severity, title, url }) => `${module_name}: ${severity}, ${title} ${url}`),
      })
    })
  })

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
