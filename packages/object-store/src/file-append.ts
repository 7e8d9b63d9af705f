import { randomUUID } from 'node:crypto'
import { type FileHandle, link, open, rm, stat } from 'node:fs/promises'
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

/** Objects that are stored in several calls, each in one file that grows, so that there are no tails. */
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

    async appendUpload(key, { id, partsBytes, nextPart }, body, { onPart, signal }) {
      const handle = await open(growing(key, id), 'r+').catch(missing)
      let [at, number, size] = [partsBytes, nextPart, 0]
      const endPart = async () => {
        await handle.datasync()
        onPart({ number: number++, size, etag: '' })
        size = 0
      }
      try {
        for await (const chunk of abortable(body, signal)) {
          await writeAt(handle, chunk, at)
          at += chunk.length
          size += chunk.length
          if (size >= partBytes) await endPart()
        }
        if (size > 0) await endPart()
        return undefined
      } finally {
        await handle.close()
      }
    },

    async removeTail() {},

    async finishUpload(key, id, parts) {
      const file = fileOf(key)
      const from = growing(key, id)
      // An earlier call may have made the object.
      if (!(await stat(file).catch(() => undefined))) {
        const handle = await open(from, 'r+').catch(missing)
        try {
          // A call that was thought dead may have written more.
          await handle.truncate(parts.reduce((sum, { size }) => sum + size, 0))
          const now = Math.floor(Date.now() / 1000)
          await handle.utimes(now, now)
          await handle.sync()
        } finally {
          await handle.close()
        }
        await inFolderOf(file, () => link(from, file)).catch(missing)
      }
      await syncName(file)
      await rm(from, { force: true })
      const info = await stat(file)
      return { size: info.size, etag: etagOf(info) }
    },
  }
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}
