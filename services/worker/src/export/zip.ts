import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Manifest } from './format.ts'
import { descriptorOf, directoryOf, headerOf, type Written } from './zip-records.ts'

/** A file of an archive. */
export interface Entry {
  name: string
  /** Its bytes in parts, which are read once, when all files before it are written. */
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** The directory of an archive is held until its end, with some 100 bytes a file. The import takes more files than this. */
const mostFiles = 60_000

/** The archive would have more than `mostFiles` files. */
export class TooManyFilesError extends Error {
  override name = 'TooManyFilesError'
}

/** Bytes of a text in parts of some 64 KiB. */
export function* bytesOf(parts: Iterable<string>): Generator<Uint8Array> {
  let text = ''
  for (const part of parts) {
    text += part
    if (text.length < 65_536) continue
    yield Buffer.from(text)
    text = ''
  }
  if (text) yield Buffer.from(text)
}

/**
 * Writes an archive: ZIP, with ZIP64 where its size needs it, nothing compressed, because recordings are. It holds one part at a time,
 * and reads the next when its reader asks for more. `onFile` is called with size and SHA-256 of each file when it is written, before
 * the next entry is asked for; what an entry throws, the reader gets, and TooManyFilesError where there are more than `most` files. All
 * files have the same date, `at`.
 */
export async function* zipOf(
  entries: AsyncIterable<Entry>,
  at: Date,
  onFile: (file: Manifest['files'][number]) => void,
  most = mostFiles,
): AsyncGenerator<Uint8Array> {
  const written: Written[] = []
  let offset = 0
  for await (const { name, body } of entries) {
    if (written.length >= most) throw new TooManyFilesError('the archive would have too many files')
    const file: Written = { name: Buffer.from(name), offset, size: 0, crc: 0 }
    const header = headerOf(file, at)
    yield header
    const hash = createHash('sha256')
    for await (const part of body) {
      hash.update(part)
      file.crc = crc32(part, file.crc)
      file.size += part.length
      yield part
    }
    const descriptor = descriptorOf(file)
    yield descriptor
    offset += header.length + file.size + descriptor.length
    written.push(file)
    onFile({ path: name, size: file.size, sha256: hash.digest('hex') })
  }
  yield* directoryOf(written, offset, at)
}
