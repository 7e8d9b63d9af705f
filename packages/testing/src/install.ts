import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Programs that tests run, and the Debian packages that contain them. */
const packages: Record<string, string[]> = {
  '7zz': ['7zip'],
  bsdtar: ['libarchive-tools'],
  chromium: ['chromium'],
  faketime: ['faketime'],
  ffmpeg: ['ffmpeg'],
  nginx: ['nginx-light'],
  promtool: ['prometheus'],
  'redis-server': ['redis-server'],
  radosgw: ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph-common'],
}

/** Whether there is no such program on the PATH. */
export const isMissing = (program: string) =>
  run('sh', ['-c', `command -v ${program}`]).then(
    () => false,
    () => true,
  )

/** Returns the Debian packages of those programs that are not on the PATH. */
export async function missingPackages(programs = Object.keys(packages)): Promise<string[]> {
  const missing: string[] = []
  for (const program of programs) if (await isMissing(program)) missing.push(...(packages[program] ?? [program]))
  return missing
}

/** Installs missing programs if we are root in CI. Elsewhere tests use what is installed. */
export async function installMissing(): Promise<void> {
  if (!process.env.CI || process.getuid?.() !== 0) return
  const wanted = await missingPackages()
  if (wanted.length === 0) return
  console.log(`Installing ${wanted.join(', ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], { env })
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...wanted], {
    env,
    maxBuffer: 64 * 1024 ** 2,
  })
}
