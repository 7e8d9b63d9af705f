import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** If we are root, PostgreSQL runs as another user, who must be able to enter its own folder but not to list the others. */
const mode = process.getuid?.() === 0 ? 0o711 : 0o700

/**
 * Opens the folder of all data: the given one, which is made if it is missing, or else a new one that the caller removes at
 * the end. Other users cannot read what is in it. Throws if it belongs to another user, whose secrets we would then
 * use.
 */
export async function openDataDirectory(kept: string | undefined) {
  const path = kept ?? (await mkdtemp(join(tmpdir(), 'playtherapy-')))
  await mkdir(path, { recursive: true, mode })
  if ((await stat(path)).uid !== (process.getuid?.() ?? 0)) throw new Error(`${path} belongs to another user.`)
  await chmod(path, mode)
  return {
    path,
    objects: await closed(path, 'objects'),
    scratch: await closed(path, 'scratch'),
    demo: await closed(path, 'demo'),
  }
}

/** The folder of the data in this project, between runs. */
export const homeDirectory = fileURLToPath(new URL('../../../.playtherapy', import.meta.url))

/** Returns a secret that is kept in a file beside the data, so that it stays the same after a restart. */
export async function keptSecret(directory: string, name: 'jwt-secret' | 'url-secret'): Promise<string> {
  const file = join(directory, name)
  await writeFile(file, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' }).catch(() => {})
  await chmod(file, 0o600)
  return readFile(file, 'utf8')
}

async function closed(path: string, name: string): Promise<string> {
  const folder = join(path, name)
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o700)
  return folder
}
