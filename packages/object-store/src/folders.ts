import { chmodSync, type Stats, statSync } from 'node:fs'
import { chmod, mkdir, open, readdir, rmdir } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'

/** Only the owner of the process may look into a folder, or read and write a file. */
const folderMode = 0o700
export const fileMode = 0o600

export const isMissing = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** Makes a folder, and those above it that are missing, for the owner alone. */
export const makeFolder = (folder: string) => mkdir(folder, { recursive: true, mode: folderMode })

/**
 * Closes a folder of an older version, which everybody could read. Closing its root is enough to keep others out, so
 * that comes first and at once; what lies below follows one by one. A root that is closed needs nothing more.
 */
export function closeToOthers(root: string): void {
  let found: Stats | undefined
  try {
    found = statSync(root, { throwIfNoEntry: false })
  } catch {
    // A root that cannot be looked at, as below a file, is for the readiness check to tell: the process starts without it.
  }
  if (!found?.isDirectory() || (found.mode & 0o077) === 0) return
  chmodSync(root, folderMode)
  // What is removed meanwhile needs no mode, and what cannot be changed lies behind the closed root.
  closeBelow(root).catch(() => {})
}

async function closeBelow(root: string): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    const mode = entry.isDirectory() ? folderMode : entry.isFile() ? fileMode : undefined
    if (mode !== undefined) await chmod(join(entry.parentPath, entry.name), mode).catch(() => {})
  }
}

/** Does something in a file's folder, which is made first; again if a delete removed it in between as empty. */
export async function inFolderOf(file: string, act: () => Promise<void>, attempts = 5): Promise<void> {
  await makeFolder(dirname(file))
  try {
    await act()
  } catch (error) {
    if (!isMissing(error) || attempts === 0) throw error
    await inFolderOf(file, act, attempts - 1)
  }
}

/** Makes a new name in a folder survive a power cut. */
export async function syncDirectory(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Every file below a folder; none when it is missing. */
export async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Folders that held only what was removed; one that is in use again is left alone. */
export async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let current = folder; current.startsWith(root + sep); current = dirname(current)) {
    try {
      await rmdir(current)
    } catch {
      return
    }
  }
}
