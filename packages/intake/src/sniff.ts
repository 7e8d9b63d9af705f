import type { Container } from '@playtherapy/schema'
import { fileTypeFromBuffer } from 'file-type'
import { NotAVideoError } from './errors.ts'

/** sniff() needs this many bytes from the start of a file, or the whole file if it is shorter. */
export const sniffBytes = 4_100

/** The accepted containers, and the names of the formats in them; `mp4` includes all of ISO-BMFF. */
const containers: Record<Container, string> = {
  mp4: 'MP4, QuickTime',
  matroska: 'Matroska, WebM',
  mpegts: 'MPEG-TS',
  mpegps: 'MPEG',
  avi: 'AVI',
}

/** Formats that are not known to people by their suffix. */
const names: Record<string, string> = { asf: 'Windows Media (WMV, WMA, ASF)', flv: 'Flash video (FLV)' }

/**
 * Returns a file's container by its first bytes, never by its name; undefined if it is not accepted. Pictures and audio
 * in the same containers (HEIC, M4A) are refused by their brand. Other files without video are found by the probe.
 */
export async function sniff(start: Uint8Array): Promise<Container | undefined> {
  const type = await fileTypeFromBuffer(start)
  if (!type?.mime.startsWith('video/')) return undefined
  if (type.mime === 'video/mp2t') return 'mpegts'
  if (type.ext === 'avi') return start[11] === 0x20 ? 'avi' : undefined
  // The pictures of an MPEG recording without a container begin with another code, and have no sound.
  if (type.ext === 'mpg') return start[3] === 0xba ? 'mpegps' : undefined
  if (type.ext === 'mkv' || type.ext === 'webm') return 'matroska'
  // A box has its type at byte 4; old QuickTime files begin with a box other than `ftyp`.
  const box = Buffer.from(start.subarray(4, 8)).toString('latin1')
  return /^(ftyp|moov|mdat|wide|free)$/.test(box) ? 'mp4' : undefined
}

/** Says what a file is that sniff() does not accept, and which formats it accepts. */
export async function explain(start: Uint8Array): Promise<NotAVideoError> {
  const type = await fileTypeFromBuffer(start)
  const looksLike = type
    ? `looks like ${names[type.ext] ?? type.ext.toUpperCase()} (${type.mime})`
    : isText(start)
      ? 'looks like text'
      : 'is in no format that is known here'
  return new NotAVideoError(`${looksLike}; a recording can be ${Object.values(containers).join(', ')}`)
}

/** Whether these bytes are UTF-8 without control characters; the last character may be cut off. */
function isText(start: Uint8Array): boolean {
  const text = new TextDecoder().decode(start, { stream: true })
  return !/[^\P{Cc}\t\n\f\r]|\ufffd/u.test(text)
}
