import type { FileHandle } from 'node:fs/promises'

/** Whether all packets that ffmpeg has listed in a file, in its format framecrc, have the same bytes. */
export async function areSame(list: FileHandle): Promise<boolean> {
  let first: string | undefined
  for await (const line of list.readLines({ start: 0, autoClose: false })) {
    if (line.startsWith('#')) continue
    const [, , , , size, checksum] = line.split(',')
    first ??= `${size}${checksum}`
    if (`${size}${checksum}` !== first) return false
  }
  return true
}
