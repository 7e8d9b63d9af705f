import { createHash } from 'node:crypto'
import { makeZip } from 'client-zip'
import type { Manifest } from './format.ts'

/** A file of an archive. */
export interface Entry {
  name: string
  /** Its bytes in parts, which are read once, when all files before it are written. */
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** The library ends an archive wrongly that has more files and is smaller than 4 GiB: their number does not fit into 16 bits. */
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
export function zipOf(
  entries: AsyncIterable<Entry>,
  at: Date,
  onFile: (file: Manifest['files'][number]) => void,
  most = mostFiles,
): AsyncIterable<Uint8Array> {
  let count = 0
  async function* inputs() {
    for await (const { name, body } of entries) {
      if (++count > most) throw new TooManyFilesError('the archive would have too many files')
      const hash = createHash('sha256')
      let size = 0
      const watched = async function* () {
        for await (const part of body) {
          hash.update(part)
          size += part.length
          yield part
        }
        onFile({ path: name, size, sha256: hash.digest('hex') })
      }
      yield { name, lastModified: at, input: watched() }
    }
  }
  return makeZip(inputs())
}
