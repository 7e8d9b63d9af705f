import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { existsSync, linkSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, link, open, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { abortable, chunksOf } from './abortable.ts'
import { fileAppends } from './file-append.ts'
import { etagOf, replace } from './file-etag.ts'
import {
  closeToOthers,
  fileMode,
  filesBelow,
  inFolderOf,
  isMissing,
  makeFolder,
  removeEmptyFolders,
  syncDirectory,
} from './folders.ts'
import {
  type Body,
  type ListedObject,
  ObjectChangedError,
  ObjectExistsError,
  type ObjectInfo,
  ObjectMissingError,
  type ObjectStore,
  type PresignPutOptions,
  type PutOptions,
} from './object-store.ts'
import { readOnDemand, type Source } from './on-demand.ts'
import { runAll } from './run-all.ts'

export interface FileStoreOptions {
  /** Folder of all objects; created when missing. */
  directory: string
  /** For presigned URLs: the address of `fileRoutes` for browsers, and the secret of the signatures. */
  publicUrl?: string
  secret?: string
}

/** The file store, with what its HTTP routes need. */
export interface FileStore extends ObjectStore {
  /**
   * Keeps what a PUT to a presigned URL brings, in place of what an earlier one brought. Rejects with ObjectExistsError if
   * that was announced, also during the PUT.
   */
  putUpload(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<{ size: number; etag: string }>
  /** Whether what a presigned URL brought was announced, so that the URL takes no other. */
  hasEnded(key: string): boolean
  /** Whether this signature allows a PUT of `key` with this type that starts now. */
  verifyPut(key: string, contentType: string, expires: number, signature: string): boolean
}

/** Free bytes below which the disk counts as full: a recording would not fit. */
const leastFreeBytes = 64 * 1024 ** 2
const checkBytes = 4096

/**
 * An object store in a folder: the embedded default. A body is written to a temporary file in `.unfinished` and flushed to
 * disk before it gets its name, so that an object is complete or missing. Only the owner can read folders and files.
 */
export function createFileStore({ directory, publicUrl, secret }: FileStoreOptions): FileStore {
  const root = resolve(directory)
  const unfinished = join(root, '.unfinished')
  closeToOthers(root)

  /** The path of an object. A key is a path of plain names; one that could leave the folder is a programming error. */
  function fileOf(key: string): string {
    const names = key.split('/')
    if (names.some((name) => name === '' || name.startsWith('.') || /[\0\\]/.test(name))) throw new Error('not a key')
    return join(root, ...names)
  }

  /** Writes a body to a temporary file, flushes it, and lets `name` give it its name. */
  async function write(
    key: string,
    body: Body,
    signal: AbortSignal | undefined,
    name: (temporary: string, handle: FileHandle) => Promise<void>,
  ) {
    await makeFolder(unfinished)
    const temporary = join(unfinished, temporaryName(key))
    const handle = await open(temporary, 'wx', fileMode)
    try {
      for await (const chunk of abortable(chunksOf(body), signal)) await handle.appendFile(chunk)
      const now = Math.floor(Date.now() / 1000)
      await handle.utimes(now, now)
      await handle.sync()
      await name(temporary, handle)
      const info = await handle.stat()
      return { size: info.size, etag: etagOf(info) }
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw new ObjectExistsError(key)
      throw error
    } finally {
      await handle.close()
      await rm(temporary, { force: true })
    }
  }

  const room = async () => {
    await makeFolder(unfinished)
    const { bavail, blocks, bsize } = await statfs(unfinished)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  }

  /** Makes the new name of a file, and those of its folders, survive a power failure. */
  async function syncName(file: string): Promise<void> {
    for (let folder = dirname(file); folder !== dirname(root); folder = dirname(folder)) await syncDirectory(folder)
  }

  async function openFile(key: string, file: string, start: number, end?: number, ifMatch?: string): Promise<Source> {
    const handle = await open(file).catch((error: unknown) => {
      throw isMissing(error) ? new ObjectMissingError(key) : error
    })
    try {
      const info = await handle.stat()
      if (!info.isFile()) throw new ObjectMissingError(key)
      const etag = etagOf(info)
      if (ifMatch !== undefined && ifMatch !== etag) throw new ObjectChangedError(key)
      const body = handle.createReadStream({ start, ...(end !== undefined && { end }), highWaterMark: 256 * 1024 })
      return { body, size: info.size, etag }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async function head(key: string, file = fileOf(key)): Promise<ObjectInfo | undefined> {
    try {
      const info = await stat(file)
      if (!info.isFile()) return undefined
      return { key, size: info.size, etag: etagOf(info), lastModified: info.mtime }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  // The name of a temporary file contains the key, so that it can be found by a prefix.
  const temporaryName = (key: string) => `${encodeURIComponent(key)}~${randomUUID()}`
  /** The file of what a presigned URL brought, until it is adopted and removed. */
  const uploadOf = (key: string) => join(unfinished, `${encodeURIComponent(key)}~upload`)
  const keyOf = (name: string) => decodeURIComponent(name.split('~')[0] ?? '')
  const unfinishedBelow = async (prefix: string) =>
    (await readdir(unfinished).catch(() => [])).filter((name) => keyOf(name).startsWith(prefix))

  async function* list(prefix: string): AsyncGenerator<ListedObject> {
    const folder = join(root, ...prefix.split('/').slice(0, -1))
    for (const file of await filesBelow(folder)) {
      const key = relative(root, file).split(sep).join('/')
      if (!key.startsWith(prefix) || key.startsWith('.')) continue
      const info = await head(key)
      if (info) yield { ...info, versions: 1 }
    }
  }

  // An announcement that failed in its last step has left both, and the upload may be repeated.
  const hasEnded = (key: string) => existsSync(fileOf(key)) && !existsSync(uploadOf(key))

  const sign = (key: string, contentType: string, expires: number) => {
    if (!secret) throw new Error('this file store gives out no URLs')
    return createHmac('sha256', secret).update(`PUT\n${key}\n${contentType}\n${expires}`).digest('hex')
  }

  return {
    async put(key, body, { signal }) {
      const file = fileOf(key)
      return write(key, body, signal, async (temporary) => {
        await inFolderOf(file, () => link(temporary, file))
        await syncName(file)
      })
    },

    ...fileAppends({ unfinished, fileOf, etagOf, syncName }),

    async putUpload(key, body, { signal }) {
      return write(key, body, signal, async (temporary, handle) => {
        // Nothing is awaited between the question and the answer, so that it cannot be adopted in between.
        if (hasEnded(key)) throw new ObjectExistsError(key)
        replace(handle, temporary, uploadOf(key))
        await syncDirectory(unfinished)
      })
    },

    head: (key) => head(key),

    get: (key, options = {}) => readOnDemand((...asked) => openFile(key, fileOf(key), ...asked), options),

    async delete(keys) {
      const remove = async (key: string) => {
        const file = fileOf(key)
        await rm(file, { force: true })
        await removeEmptyFolders(dirname(file), root)
      }
      await runAll(keys.map((key) => () => remove(key)))
    },

    list,

    async *history(prefix, mostBytes) {
      for await (const { key } of list(prefix)) {
        const bytes = await openFile(key, fileOf(key), 0, mostBytes - 1)
          .then(({ body }) => buffer(body))
          .catch(() => undefined)
        yield { key, bytes, lockedUntil: undefined }
      }
    },

    async *unfinished(prefix) {
      for (const name of await unfinishedBelow(prefix)) {
        const info = await stat(join(unfinished, name)).catch(() => undefined)
        if (info) yield { key: keyOf(name), began: info.birthtime }
      }
    },

    async abortUploads(prefix) {
      const below = await unfinishedBelow(prefix)
      await Promise.all(below.map((name) => rm(join(unfinished, name), { force: true })))
      return below.length
    },

    // The route of a presigned PUT reads no other headers than type and length.
    async inspectUpload(key, bytes) {
      const [upload, file] = [uploadOf(key), fileOf(key)]
      // URLs of the release before this one lead to the final key.
      const found = await head(key, upload)
      const info = found ?? (await head(key))
      if (!info) return undefined
      const { body } = await openFile(key, found ? upload : file, 0, bytes - 1, info.etag)
      return { ...info, isPlain: true, start: await buffer(body) }
    },

    async adoptUpload(key, etag) {
      const [file, upload] = [fileOf(key), uploadOf(key)]
      await inFolderOf(file, async () => {
        const adopted = statSync(file, { throwIfNoEntry: false })
        if (adopted && etagOf(adopted) === etag) return
        const info = statSync(upload, { throwIfNoEntry: false })
        if (!info) throw new ObjectMissingError(key)
        if (etagOf(info) !== etag) throw new ObjectChangedError(key)
        // An earlier announcement adopted another upload and ended before it could register it.
        if (adopted) rmSync(file)
        linkSync(upload, file)
      })
      await syncName(file)
      return { size: statSync(file).size, etag }
    },

    judgeUploads: async () => ({ safe: true }),

    // A folder has no encryption but that of its disk.
    checkEncryption: async () => {},

    async presignPut(key: string, { contentType, expiresIn }: PresignPutOptions) {
      if (!publicUrl) throw new Error('this file store gives out no URLs')
      const expires = Math.floor(Date.now() / 1000) + expiresIn
      const url = new URL(`/objects/${key}`, publicUrl)
      url.searchParams.set('type', contentType)
      url.searchParams.set('expires', String(expires))
      url.searchParams.set('signature', sign(key, contentType, expires))
      return url.href
    },

    hasEnded,

    verifyPut(key, contentType, expires, signature) {
      const expected = Buffer.from(sign(key, contentType, expires))
      const given = Buffer.from(signature)
      return given.length === expected.length && timingSafeEqual(given, expected) && expires > Date.now() / 1000
    },

    keeping: async () => ({ versions: false, lock: false, replication: false }),

    room,

    async check() {
      const { freeBytes } = await room()
      if (freeBytes < leastFreeBytes) throw new Error('the disk is full')
      // Only a write finds an exceeded quota, a lack of inodes, or a read-only disk.
      const file = join(unfinished, temporaryName('check'))
      try {
        await writeFile(file, Buffer.alloc(checkBytes), { flag: 'wx', mode: fileMode, flush: true })
      } finally {
        await rm(file, { force: true })
      }
    },

    close() {},
  }
}
