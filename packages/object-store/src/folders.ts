import { mkdir, open, readdir, rmdir } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'

export const isMissing = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** Does something in a file's folder, which is made first; again if a delete removed it in between as empty. */
export async function inFolderOf(file: string, act: () => Promise<void>, tries = 5): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  try {
    await act()
  } catch (error) {
    if (!isMissing(error) || tries === 0) throw error
    await inFolderOf(file, act, tries - 1)
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
