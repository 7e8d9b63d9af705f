/** Bundles of releases: this one, and one that it is an upgrade of. */
import { execFile } from 'node:child_process'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { nodeOptions, type Program, programPath } from '@playtherapy/programs'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../../', import.meta.url))

export interface Release {
  name: string
  /** The file that node runs for a program. */
  path(program: Program): string
}

/** What {@link buildPrograms} of programs has bundled of this checkout. */
export const thisRelease: Release = { name: 'this release', path: programPath }

/** Bundles the programs of a commit into `directory`, with its own libraries. Takes a minute. */
export async function buildRelease(commit: string, directory: string): Promise<Release> {
  const checkout = join(directory, 'checkout')
  await run('git', ['worktree', 'add', '--detach', checkout, commit], { cwd: root })
  try {
    await run('npm', ['run', 'build'], { cwd: checkout, maxBuffer: 2 ** 26 })
    await rename(join(checkout, '.build'), join(directory, 'release'))
  } finally {
    await run('git', ['worktree', 'remove', '--force', checkout], { cwd: root })
  }
  return { name: commit, path: (program) => join(directory, 'release/programs', `${program}.mjs`) }
}

/** Runs a command of a release. Rejects with what it wrote if it fails, and after ten minutes. */
export async function runProgram(release: Release, command: Program, env: NodeJS.ProcessEnv): Promise<void> {
  const options = { env: { ...process.env, ...env }, timeout: 600_000 }
  await run(process.execPath, [...nodeOptions, release.path(command)], options)
}
