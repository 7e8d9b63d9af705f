import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, type FileHandle, mkdir, open, readdir, rm, stat, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Time of a file's lease, and pause between two renewals. */
const leaseMs = 60_000
const renewMs = 10_000
/** Prefix of the names of our files, in older releases too. */
const prefix = 'encode-'
/** Free bytes of the scratch disk below which no encode can be expected to succeed. */
const leastFreeBytes = 64 * 1024 ** 2

/** The folder of a process's open files by number; only Linux allows to open them again there. */
const descriptors = process.platform === 'linux' ? '/proc/self/fd' : undefined

/** A file for the output of one process. */
export interface ScratchFile {
  handle: FileHandle
  /** The path for a process in which the file has descriptor `fd`. */
  pathFor(fd: number): string
  /** Closes and removes it. */
  close(): Promise<void>
}

/**
 * Creates a file that only our user can open. On Linux its name is removed at once, so that the system frees the file when
 * this process ends in any way. Elsewhere its modification time is its lease: see {@link sweepScratch}.
 */
export async function openScratchFile(directory: string): Promise<ScratchFile> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, prefix + randomUUID())
  const handle = await open(path, 'wx+', 0o600)
  if (descriptors) {
    await unlink(path)
    return { handle, pathFor: (fd) => `${descriptors}/${fd}`, close: () => handle.close() }
  }
  const lease = setInterval(() => handle.utimes(new Date(), new Date()).catch(() => {}), renewMs)
  return {
    handle,
    pathFor: () => path,
    async close() {
      clearInterval(lease)
      await Promise.all([handle.close(), rm(path, { force: true })])
    },
  }
}

/**
 * Makes the scratch folder, in which nobody else may exchange files, and removes files of dead workers. A folder that was there, and
 * may hold what others need, loses only their right to write, and nothing where each may remove only his own, as in /tmp. Throws
 * when it belongs to another user.
 */
export async function prepareScratch(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const { uid, mode } = await stat(directory)
  const self = process.getuid?.() ?? uid
  if (uid !== self && uid !== 0) throw new Error('SCRATCH_DIRECTORY belongs to another user')
  const isSticky = (mode & 0o1000) !== 0
  if (uid === self && !isSticky) await chmod(directory, mode & 0o755)
  await sweepScratch(directory)
}

/** Removes files with an expired lease: workers in containers share the disk but do not see each other's processes. */
export async function sweepScratch(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names.filter((name) => name.startsWith(prefix))) {
    const path = join(directory, name)
    const info = await stat(path).catch(() => undefined)
    if (info && Date.now() - info.mtimeMs > leaseMs) await rm(path, { recursive: true, force: true })
  }
}

/** Measures the disk of the scratch folder. */
export async function scratchRoom(directory: string): Promise<{ freeBytes: number; totalBytes: number }> {
  const { bavail, blocks, bsize } = await statfs(directory)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** For readiness: rejects when the scratch folder cannot be written to, or its disk is full. */
export async function checkScratch(directory: string): Promise<void> {
  await access(directory, constants.W_OK)
  const { freeBytes } = await scratchRoom(directory)
  if (freeBytes < leastFreeBytes) throw new Error('the scratch disk is full')
}
