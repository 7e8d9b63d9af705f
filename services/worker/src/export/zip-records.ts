/**
 * The records of a ZIP archive whose files are stored as they are, and of which each is written before its size is known (APPNOTE.TXT
 * 6.3.10, sections 4.3 and 4.5.3). ZIP64 fields are written where a number needs one, and no other.
 */

/** A file of an archive that is written. */
export interface Written {
  /** In UTF-8. */
  name: Uint8Array
  /** Where its header begins. */
  offset: number
  size: number
  crc: number
}

/** A number that does not fit: the true one is in a ZIP64 field. */
const [elsewhere32, elsewhere16] = [0xffffffff, 0xffff]
const isLarge = (number: number) => number >= elsewhere32
const in32 = (number: number) => Math.min(number, elsewhere32)
const in16 = (number: number) => Math.min(number, elsewhere16)

/** Version 4.5, which has ZIP64; made on Unix, whose modes of files the directory has. */
const [version, madeBy] = [45, (3 << 8) | 45]
/** Sizes and CRC come after the bytes, and the name is UTF-8. */
const flags = (1 << 3) | (1 << 11)
/** A plain file that its owner and group may write and everybody read. */
const mode = 0o100664 * 2 ** 16

/** A record of these numbers, each with its bytes. */
function record(...fields: [number, bytes: 2 | 4 | 8][]): Buffer {
  const bytes = Buffer.alloc(fields.reduce((sum, [, size]) => sum + size, 0))
  let at = 0
  for (const [number, size] of fields) {
    if (size === 2) bytes.writeUInt16LE(number, at)
    else if (size === 4) bytes.writeUInt32LE(number, at)
    else bytes.writeBigUInt64LE(BigInt(number), at)
    at += size
  }
  return bytes
}

/** Time and date as MS-DOS has them: two seconds a step, since 1980, without a time zone. */
const momentOf = (at: Date): [number, 2][] => [
  [(at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1), 2],
  [((at.getFullYear() - 1980) << 9) | ((at.getMonth() + 1) << 5) | at.getDate(), 2],
]

/** What comes before the bytes of a file. */
export const headerOf = ({ name }: Written, at: Date): Uint8Array =>
  Buffer.concat([
    record(
      [0x04034b50, 4],
      [version, 2],
      [flags, 2],
      [0, 2],
      ...momentOf(at),
      [0, 4],
      [0, 8],
      [name.length, 2],
      [0, 2],
    ),
    name,
  ])

/** What comes after them. */
export function descriptorOf({ crc, size }: Written): Uint8Array {
  const bytes = isLarge(size) ? 8 : 4
  return record([0x08074b50, 4], [crc, 4], [size, bytes], [size, bytes])
}

/** The entry of a file in the directory. */
function entryOf({ name, offset, size, crc }: Written, at: Date): Buffer {
  const large: [number, 8][] = []
  if (isLarge(size)) large.push([size, 8], [size, 8])
  if (isLarge(offset)) large.push([offset, 8])
  const extra = large.length > 0 ? record([1, 2], [8 * large.length, 2], ...large) : Buffer.alloc(0)
  const head = record([0x02014b50, 4], [madeBy, 2], [version, 2], [flags, 2], [0, 2], ...momentOf(at), [crc, 4])
  const sizes = record([in32(size), 4], [in32(size), 4], [name.length, 2], [extra.length, 2])
  return Buffer.concat([head, sizes, record([0, 2], [0, 2], [0, 2], [mode, 4], [in32(offset), 4]), name, extra])
}

/** The directory of an archive, which begins at `offset`, and its end. */
export function* directoryOf(files: Written[], offset: number, at: Date): Generator<Uint8Array> {
  let size = 0
  for (const file of files) {
    const entry = entryOf(file, at)
    size += entry.length
    yield entry
  }
  const count = files.length
  if (count >= elsewhere16 || isLarge(offset) || isLarge(size)) {
    yield record([0x06064b50, 4], [44, 8], [madeBy, 2], [version, 2], [0, 4], [0, 4])
    yield record([count, 8], [count, 8], [size, 8], [offset, 8])
    yield record([0x07064b50, 4], [0, 4], [offset + size, 8], [1, 4])
  }
  yield record(
    [0x06054b50, 4],
    [0, 2],
    [0, 2],
    [in16(count), 2],
    [in16(count), 2],
    [in32(size), 4],
    [in32(offset), 4],
    [0, 2],
  )
}
