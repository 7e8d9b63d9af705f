import { constants, crc32, deflateRawSync } from 'node:zlib'

/** A file of an archive, as any program could write it: nothing of it has to be true. */
export interface Packed {
  name: string | Uint8Array
  /** The bytes as they are in the archive. */
  bytes: Uint8Array
  /** 0 for what is stored as it is, the default, and 8 for what is deflated. */
  method?: number
  flags?: number
  /** Sizes as the list at the end of the archive says; those of `bytes` by default. */
  packedSize?: number
  size?: number
  /** The mode of a file of Unix, such as that of a symbolic link. */
  mode?: number
  /** The list names the bytes of the file before once more. */
  isSame?: boolean
}

/** Deflates as many MiB of zeros without ever having them. */
export const zeros = (mebibytes: number): Buffer => {
  const one = deflateRawSync(Buffer.alloc(1024 ** 2), { finishFlush: constants.Z_FULL_FLUSH })
  return Buffer.concat([...Array<Buffer>(mebibytes).fill(one), deflateRawSync(Buffer.alloc(0))])
}

/** Bit 11 of the flags: the name is UTF-8. */
const utf8 = 0x800

/** The bytes of an archive with these files. */
export function zipBytes(files: Packed[]): Buffer {
  const parts: Uint8Array[] = []
  const list: Uint8Array[] = []
  let at = 0
  let start = 0
  for (const { name, bytes, method = 0, flags = 0, mode = 0, isSame = false, ...sizes } of files) {
    const nameBytes = Buffer.from(name)
    const head = Buffer.alloc(30)
    head.writeUInt32LE(0x04034b50, 0)
    head.writeUInt16LE(20, 4)
    head.writeUInt16LE(flags | utf8, 6)
    head.writeUInt16LE(method, 8)
    head.writeUInt32LE(isSame ? 0 : crc32(bytes), 14)
    head.writeUInt32LE(sizes.packedSize ?? bytes.length, 18)
    head.writeUInt32LE(sizes.size ?? bytes.length, 22)
    head.writeUInt16LE(nameBytes.length, 26)
    if (!isSame) {
      start = at
      parts.push(head, nameBytes, bytes)
      at += head.length + nameBytes.length + bytes.length
    }
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    // Made by Unix.
    entry.writeUInt16LE((3 << 8) | 20, 4)
    head.copy(entry, 6, 4, 30)
    entry.writeUInt32LE((mode << 16) >>> 0, 38)
    entry.writeUInt32LE(start, 42)
    list.push(entry, nameBytes)
  }
  const listed = Buffer.concat(list)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(Math.min(files.length, 0xffff), 8)
  end.writeUInt16LE(Math.min(files.length, 0xffff), 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(at, 16)
  if (files.length < 0xffff) return Buffer.concat([...parts, listed, end])
  // More files than the old end can count: that of ZIP64 comes before it.
  const end64 = Buffer.alloc(56)
  end64.writeUInt32LE(0x06064b50, 0)
  end64.writeBigUInt64LE(44n, 4)
  end64.writeBigUInt64LE(BigInt(files.length), 24)
  end64.writeBigUInt64LE(BigInt(files.length), 32)
  end64.writeBigUInt64LE(BigInt(listed.length), 40)
  end64.writeBigUInt64LE(BigInt(at), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeBigUInt64LE(BigInt(at + listed.length), 8)
  locator.writeUInt32LE(1, 16)
  return Buffer.concat([...parts, listed, end64, locator, end])
}
