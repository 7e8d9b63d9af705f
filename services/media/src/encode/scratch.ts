import { mkdir, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'

/** A folder nobody has touched for so long belonged to a worker that died; living ones touch theirs. Milliseconds. */
const deadAfter = 10 * 60_000

/** A folder for one attempt. */
export async function makeScratch(directory: string, videoId: number): Promise<string> {
  await mkdir(directory, { recursive: true })
  return mkdtemp(join(directory, `encode-${videoId}-`))
}

/** Says that the folder is in use; goes with every renewal of the lease. */
export async function touchScratch(folder: string): Promise<void> {
  const now = new Date()
  await utimes(folder, now, now)
}

/** Removes what dead workers left. By age, not by process id: workers in containers share the disk and not the ids. */
export async function cleanScratch(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names.filter((name) => name.startsWith('encode-'))) {
    const folder = join(directory, name)
    const info = await stat(folder).catch(() => undefined)
    if (info && Date.now() - info.mtimeMs > deadAfter) await rm(folder, { recursive: true, force: true })
  }
}
