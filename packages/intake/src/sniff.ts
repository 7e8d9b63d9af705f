import type { Container } from '@playtherapy/schema'
import { fileTypeFromBuffer } from 'file-type'

/** sniff() needs this many bytes from the start of a file, or the whole file if it is shorter. */
export const sniffBytes = 4_100

/**
 * Returns a file's container by its first bytes, never by its name; undefined if it is not accepted. Pictures and audio
 * in the same containers (HEIC, M4A) are refused by their brand. Other files without video are found by the probe.
 */
export async function sniff(start: Uint8Array): Promise<Container | undefined> {
  const type = await fileTypeFromBuffer(start)
  if (!type?.mime.startsWith('video/')) return undefined
  if (type.mime === 'video/mp2t') return 'mpegts'
  if (type.ext === 'mkv' || type.ext === 'webm') return 'matroska'
  // A box has its type at byte 4; old QuickTime files begin with a box other than `ftyp`.
  const box = Buffer.from(start.subarray(4, 8)).toString('latin1')
  return /^(ftyp|moov|mdat|wide|free)$/.test(box) ? 'mp4' : undefined
}
