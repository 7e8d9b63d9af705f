import { chmodSync, type Stats, statSync } from 'node:fs'
import { chmod, mkdir, open, readdir, rmdir } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'

/** Only the owner may list a folder, or read and write a file. */
const folderMode = 0o700
export const fileMode = 0o600

export const isMissing = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** Creates a folder and its missing parents, for the owner alone. */
export const makeFolder = (folder: string) => mkdir(folder, { recursive: true, mode: folderMode })

/**
 * Closes a folder of an older version, which everybody could read. The mode of the root is changed at once, which keeps
 * others out; that of the content follows. A root that is closed already is not changed.
 */
export function closeToOthers(root: string): void {
  let found: Stats | undefined
  try {
    found = statSync(root, { throwIfNoEntry: false })
  } catch {
    // The readiness check reports a root that cannot be read, such as one below a file; the process starts anyway.
  }
  if (!found?.isDirectory() || (found.mode & 0o077) === 0) return
  chmodSync(root, folderMode)
  // A file that is removed meanwhile needs no mode, and one that cannot be changed is behind the closed root.
  closeBelow(root).catch(() => {})
}

async function closeBelow(root: string): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    const mode = entry.isDirectory() ? folderMode : entry.isFile() ? fileMode : undefined
    if (mode !== undefined) await chmod(join(entry.parentPath, entry.name), mode).catch(() => {})
  }
}

/** Creates a file's folder and runs `act` in it; retries if a delete removed the empty folder in between. */
export async function inFolderOf(file: string, act: () => Promise<void>, attempts = 5): Promise<void> {
  await makeFolder(dirname(file))
  try {
    await act()
  } catch (error) {
    if (!isMissing(error) || attempts === 0) throw error
    await inFolderOf(file, act, attempts - 1)
  }
}

/** Makes new names in a folder survive a power failure. */
export async function syncDirectory(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** All files below a folder; none when it is missing. */
export async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Removes a folder and its parents up to `root`, as long as they are empty. */
export async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let current = folder; current.startsWith(root + sep); current = dirname(current)) {
    try {
      await rmdir(current)
    } catch {
      return
    }
  }
}
