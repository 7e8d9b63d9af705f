import { fsyncSync, futimesSync, renameSync, statSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/** Modification time in whole seconds, which every way of copying a folder keeps. */
const secondOf = ({ mtime }: { mtime: Date }) => Math.floor(mtime.getTime() / 1000)

/** Names one version of a file: `rename` gives the next one another second. */
export const etagOf = (info: { size: number; mtime: Date }) =>
  `"${info.size.toString(16)}-${secondOf(info).toString(16)}"`

/**
 * Gives a complete file its name, in place of another file. It is synchronous, so that no other replacement comes between.
 * If the old file has the same second, the new one gets the next, so that their ETags differ.
 */
export function replace(handle: FileHandle, from: string, to: string): void {
  const old = statSync(to, { throwIfNoEntry: false })
  const now = secondOf(statSync(from))
  if (old && secondOf(old) >= now) {
    futimesSync(handle.fd, now, secondOf(old) + 1)
    fsyncSync(handle.fd)
  }
  renameSync(from, to)
}
