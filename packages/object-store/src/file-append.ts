import { randomUUID } from 'node:crypto'
import { constants, copyFile, type FileHandle, link, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { abortable } from './abortable.ts'
import { fileMode, inFolderOf, isMissing, makeFolder, syncDirectory } from './folders.ts'
import { ObjectMissingError, type ObjectStore } from './object-store.ts'

interface Folder {
  /** The folder of what is no object yet. */
  unfinished: string
  fileOf: (key: string) => string
  etagOf: (info: { size: number; mtime: Date }) => string
  /** Makes the name of an object survive a power failure. */
  syncName: (file: string) => Promise<void>
}

type Appends = Pick<ObjectStore, 'beginUpload' | 'appendUpload' | 'removeTail' | 'finishUpload'>

/** Bytes after which a part ends: they are flushed to disk then. */
const partBytes = 8 * 1024 ** 2

const missing = (error: unknown): never => {
  throw isMissing(error) ? new ObjectMissingError('the upload was aborted') : error
}

/**
 * Objects that are stored in several calls, each in one file that grows. The bytes of a tail are in this file, too: so many small
 * calls make no more parts than one large one. The object is a copy, because a call that was thought dead has the file still open.
 */
export function fileAppends({ unfinished, fileOf, etagOf, syncName }: Folder): Appends {
  const growing = (key: string, id: string) => join(unfinished, `${encodeURIComponent(key)}~${id}`)

  return {
    async beginUpload(key) {
      const id = randomUUID()
      await makeFolder(unfinished)
      await (await open(growing(key, id), 'wx', fileMode)).close()
      await syncDirectory(unfinished)
      return id
    },

    async appendUpload(key, { id, partsBytes, nextPart, tail }, body, { length, onPart, signal }) {
      const handle = await open(growing(key, id), 'r+').catch(missing)
      let [number, size] = [nextPart, tail?.size ?? 0]
      let at = partsBytes + size
      const endPart = () => {
        onPart({ number: number++, size, etag: '' })
        size = 0
      }
      try {
        for await (const chunk of abortable(body, signal)) {
          await writeAt(handle, chunk, at)
          at += chunk.length
          size += chunk.length
          if (size < partBytes) continue
          await handle.datasync()
          endPart()
        }
        await handle.datasync()
        if (size === 0) return undefined
        if (at < (length ?? Number.POSITIVE_INFINITY)) return { name: id, size }
        endPart()
        return undefined
      } finally {
        await handle.close()
      }
    },

    async removeTail() {},

    async finishUpload(key, id, parts) {
      const [file, from] = [fileOf(key), growing(key, id)]
      const find = () => stat(file).catch(() => undefined)
      // Another call may have made the object, before this one or beside it.
      if (!(await find())) {
        const copied = copyTo(file, from, {
          copy: growing(key, randomUUID()),
          size: parts.reduce((sum, part) => sum + part.size, 0),
        })
        await copied.catch(async (error: unknown) => (await find()) ?? missing(error))
      }
      await syncName(file)
      await rm(from, { force: true })
      const info = await stat(file)
      return { size: info.size, etag: etagOf(info) }
    },
  }
}

/** Copies the first `size` bytes of a file to a new one, by way of `copy`; as a reflink where the file system has them. */
async function copyTo(file: string, from: string, { copy, size }: { copy: string; size: number }): Promise<void> {
  try {
    await copyFile(from, copy, constants.COPYFILE_FICLONE)
    const handle = await open(copy, 'r+')
    try {
      await handle.truncate(size)
      const now = Math.floor(Date.now() / 1000)
      await handle.utimes(now, now)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await inFolderOf(file, () => link(copy, file))
  } finally {
    await rm(copy, { force: true })
  }
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}
