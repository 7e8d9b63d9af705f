import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { parseJson } from '@playtherapy/service-kit'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Entry, open, type ZipFile } from 'yauzl'
import { formatVersion, knownName, Manifest, manifestName, mostFiles } from '../export/format.ts'

/** The file cannot be imported; the message is a sentence for an operator. */
export class ImportError extends Error {
  override name = 'ImportError'
}

/** An export that was opened, whose names and sizes are those of its manifest. */
export interface Archive {
  manifest: Manifest
  has(name: string): boolean
  /** The bytes of a file; when they have ended, throws ImportError unless they have the hash of the manifest. */
  read(name: string): AsyncGenerator<Uint8Array>
  /** A small file, whole and checked. */
  readWhole(name: string): Promise<Buffer>
  /** Files that were not read to their end. */
  unread(): string[]
  /** A document of JSON; throws ImportError where it is another one than `schema` describes. */
  readDocument<S extends TSchema>(name: string, schema: S): Promise<Static<S>>
  close(): void
}

/** Most bytes of a file that is read whole. */
const wholeBytes = 64 * 1024 ** 2
/** Most values of a document: those of a session with 64 MiB of versions that all have warnings. */
const bounds = { values: 6_000_000, keySequences: 50_000 }

const openFile = promisify<string, { lazyEntries: boolean; autoClose: boolean }, ZipFile>(open)

/** All entries of an archive by their names. They are only listed, and nothing is ever written under a name from the file. */
function entriesOf(zip: ZipFile, fileBytes: number): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>()
  let bytes = 0
  return new Promise((resolve, reject) => {
    const refuse = (why: string) => reject(new ImportError(why))
    zip.on('error', () => refuse('The file is damaged or cut off, or it is no ZIP of ours.'))
    zip.on('end', () => resolve(entries))
    zip.on('entry', (entry: Entry) => {
      const { fileName: name, compressionMethod, compressedSize, uncompressedSize } = entry
      bytes += uncompressedSize
      if (!knownName.test(name)) return refuse('The file has a name in it that no export has.')
      if (entries.has(name) || entries.size >= mostFiles) return refuse('The file has a name twice, or too many files.')
      if (compressionMethod !== 0 || compressedSize !== uncompressedSize || entry.isEncrypted()) {
        return refuse('The file was packed again by another program. Please take it as it was downloaded.')
      }
      // Nothing is compressed, so what is larger than the file names the same bytes twice.
      if (bytes > fileBytes) return refuse('The file says that it holds more bytes than it has.')
      entries.set(name, entry)
      zip.readEntry()
    })
    zip.readEntry()
  })
}

/** Parses as the routes do, which let in no text that the database cannot store, and nothing that is nested deeply. */
function parse<S extends TSchema>(name: string, bytes: Buffer, schema: S): Static<S> {
  let value: unknown
  try {
    value = parseJson(bytes, [], bounds)
  } catch {
    throw new ImportError(`${name} is no JSON that can be stored.`)
  }
  if (!Value.Check(schema, value)) throw new ImportError(`${name} is not as an export has it.`)
  return value
}

/**
 * Opens an export, and compares its list of files with its manifest. Throws ImportError for any other file: one that is damaged or cut
 * off, was packed again, has other names, or is of a newer version.
 */
export async function openArchive(path: string): Promise<Archive> {
  const { size } = await stat(path).catch(() => {
    throw new ImportError('The file cannot be read.')
  })
  const zip = await openFile(path, { lazyEntries: true, autoClose: false }).catch(() => {
    throw new ImportError('The file is damaged or cut off, or it is no ZIP of ours.')
  })
  const openStream = (entry: Entry) =>
    new Promise<Readable>((resolve, reject) => {
      zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream)))
    })
  async function* bytesOf(entry: Entry): AsyncGenerator<Uint8Array> {
    try {
      for await (const part of await openStream(entry)) yield part
    } catch {
      throw new ImportError(`${entry.fileName} cannot be read: the file is damaged or cut off.`)
    }
  }
  try {
    const entries = await entriesOf(zip, size)
    const found = (name: string) => {
      const entry = entries.get(name)
      if (!entry) throw new ImportError(`${name} is missing.`)
      return entry
    }
    const whole = async (name: string, bytes: AsyncIterable<Uint8Array>) => {
      if (found(name).uncompressedSize > wholeBytes) throw new ImportError(`${name} is too large.`)
      return await buffer(bytes)
    }
    const bytes = await whole(manifestName, bytesOf(found(manifestName)))
    // Another version may have another manifest.
    const { version } = parse(manifestName, bytes, Type.Pick(Manifest, ['format', 'version']))
    if (version > formatVersion) throw new ImportError('The file was made by a newer release. Please upgrade first.')
    const manifest = parse(manifestName, bytes, Manifest)
    const hashes = new Map(manifest.files.map((file) => [file.path, file]))
    if (hashes.size !== manifest.files.length || entries.size !== hashes.size + 1) {
      throw new ImportError('The file has other files than its manifest.')
    }
    for (const { path, size } of manifest.files) {
      if (found(path).uncompressedSize !== size)
        throw new ImportError(`${path} has another size than its manifest says.`)
    }
    async function* read(name: string): AsyncGenerator<Uint8Array> {
      const hash = createHash('sha256')
      for await (const part of bytesOf(found(name))) {
        hash.update(part)
        yield part
      }
      if (hash.digest('hex') !== hashes.get(name)?.sha256)
        throw new ImportError(`${name} was changed: it has another hash.`)
      unread.delete(name)
    }
    const unread = new Set(hashes.keys())
    const readWhole = (name: string) => whole(name, read(name))
    return {
      manifest,
      has: (name) => hashes.has(name),
      read,
      readWhole,
      unread: () => [...unread],
      readDocument: async (name, schema) => parse(name, await readWhole(name), schema),
      close: () => zip.close(),
    }
  } catch (error) {
    zip.close()
    throw error
  }
}
