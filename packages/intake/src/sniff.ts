import { fileTypeFromBuffer } from 'file-type'

/** Bytes from the start of a file that `sniff` wants to see, if there are so many. */
export const sniffLength = 4_100

/** The containers we take: ISO-BMFF with its QuickTime kin, Matroska with WebM, MPEG transport streams. */
export type Container = 'mp4' | 'matroska' | 'mpegts'

/**
 * What a file is by its first bytes, never by its name; undefined for anything we do not take. Pictures and sound in
 * the same containers (HEIC, M4A) are told apart by their brand; a file with sound alone shows only when it is probed.
 */
export async function sniff(start: Uint8Array): Promise<Container | undefined> {
  const type = await fileTypeFromBuffer(start)
  if (!type?.mime.startsWith('video/')) return undefined
  if (type.mime === 'video/mp2t') return 'mpegts'
  if (type.ext === 'mkv' || type.ext === 'webm') return 'matroska'
  // A box has its type at byte 4; QuickTime files of old begin with one other than `ftyp`.
  const box = Buffer.from(start.subarray(4, 8)).toString('latin1')
  return /^(ftyp|moov|mdat|wide|free)$/.test(box) ? 'mp4' : undefined
}
