import { chmod, mkdir, mkdtemp, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** As root PostgreSQL runs as another user, who has to pass through to a folder of its own; nobody can list the others. */
const mode = process.getuid?.() === 0 ? 0o711 : 0o700

/**
 * The folder of all data: the given one, made if need be, or without one a fresh folder to be removed at the end. It
 * and what is in it is closed to other users. Throws when it belongs to one, whose secrets would then be ours.
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

async function closed(path: string, name: string): Promise<string> {
  const folder = join(path, name)
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o700)
  return folder
}
