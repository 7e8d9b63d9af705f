import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { abortable } from './abortable.ts'
import {
  type GetOptions,
  ObjectChangedError,
  ObjectExistsError,
  type ObjectInfo,
  ObjectMissingError,
  type ObjectStore,
  type PresignPutOptions,
  type PutOptions,
} from './object-store.ts'

export interface FileStoreOptions {
  /** Folder of all objects; made when missing. */
  directory: string
  /** Where `fileRoutes` is reachable for browsers, and the secret its URLs are signed with; needed to give out URLs. */
  publicUrl?: string
  secret?: string
}

/** The file store, with what its HTTP routes need besides. */
export interface FileStore extends ObjectStore {
  /** Stores a presigned upload; unlike `put` it replaces, as S3 does. */
  replace(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<{ size: number; etag: string }>
  /** Whether this signature opens a PUT of `key` that starts now. */
  verifyPut(key: string, contentType: string, expires: number, signature: string): boolean
}

const isMissing = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** Names a version of a file: objects are written once, so size and time of writing tell any two apart. */
const etagOf = (info: { size: bigint; mtimeNs: bigint }) => `"${info.size.toString(16)}-${info.mtimeNs.toString(16)}"`

/**
 * An object store in a folder: the embedded default. A body goes to a temporary file first, is flushed to disk, and
 * only then gets its name, so that an object is whole or not there. Unfinished ones lie under `.unfinished`.
 */
export function createFileStore({ directory, publicUrl, secret }: FileStoreOptions): FileStore {
  const root = resolve(directory)
  const unfinished = join(root, '.unfinished')

  /** Where an object lies. A key is a path of plain names; anything that could leave the folder is a fault of ours. */
  function fileOf(key: string): string {
    const names = key.split('/')
    if (names.some((name) => name === '' || name.startsWith('.') || /[\0\\]/.test(name))) throw new Error('not a key')
    return join(root, ...names)
  }

  async function write(key: string, body: AsyncIterable<Uint8Array>, { signal }: PutOptions, replace: boolean) {
    const file = fileOf(key)
    await mkdir(unfinished, { recursive: true })
    // The key is part of the name, so that abortUploads can find what belongs below a prefix.
    const temporary = join(unfinished, `${encodeURIComponent(key)}~${randomUUID()}`)
    const handle = await open(temporary, 'wx')
    try {
      for await (const chunk of abortable(body, signal)) await handle.appendFile(chunk)
      await handle.sync()
      const info = await handle.stat({ bigint: true })
      await inFolderOf(file, () => (replace ? rename(temporary, file) : link(temporary, file)))
      await syncDirectory(dirname(file))
      return { size: Number(info.size), etag: etagOf(info) }
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw new ObjectExistsError(key)
      throw error
    } finally {
      await handle.close()
      await rm(temporary, { force: true })
    }
  }

  const describe = async (key: string): Promise<ObjectInfo | undefined> => {
    try {
      const info = await stat(fileOf(key), { bigint: true })
      if (!info.isFile()) return undefined
      return { key, size: Number(info.size), etag: etagOf(info), lastModified: info.mtime }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  const sign = (key: string, contentType: string, expires: number) => {
    if (!secret) throw new Error('this file store gives out no URLs')
    return createHmac('sha256', secret).update(`PUT\n${key}\n${contentType}\n${expires}`).digest('hex')
  }

  return {
    put: (key, body, options) => write(key, body, options, false),
    replace: (key, body, options) => write(key, body, options, true),
    head: describe,

    async get(key: string, { start = 0, end, ifMatch, signal }: GetOptions = {}): Promise<Readable> {
      const info = await describe(key)
      if (!info) throw new ObjectMissingError(key)
      if (ifMatch !== undefined && ifMatch !== info.etag) throw new ObjectChangedError(key)
      return createReadStream(fileOf(key), {
        start,
        ...(end !== undefined && { end }),
        ...(signal && { signal }),
        highWaterMark: 256 * 1024,
      })
    },

    async delete(keys) {
      for (const key of keys) {
        const file = fileOf(key)
        await rm(file, { force: true })
        await removeEmptyFolders(dirname(file), root)
      }
    },

    async *list(prefix) {
      const folder = join(root, ...prefix.split('/').slice(0, -1))
      for (const file of await filesBelow(folder)) {
        const key = relative(root, file).split(sep).join('/')
        if (!key.startsWith(prefix) || key.startsWith('.')) continue
        const info = await describe(key)
        if (info) yield info
      }
    },

    async abortUploads(prefix) {
      const names = await readdir(unfinished).catch(() => [])
      const below = names.filter((name) => decodeURIComponent(name.split('~')[0] ?? '').startsWith(prefix))
      await Promise.all(below.map((name) => rm(join(unfinished, name), { force: true })))
      return below.length
    },

    async presignPut(key: string, { contentType, expiresIn }: PresignPutOptions) {
      if (!publicUrl) throw new Error('this file store gives out no URLs')
      const expires = Math.floor(Date.now() / 1000) + expiresIn
      const url = new URL(`/objects/${key}`, publicUrl)
      url.searchParams.set('expires', String(expires))
      url.searchParams.set('signature', sign(key, contentType, expires))
      return url.href
    },

    verifyPut(key, contentType, expires, signature) {
      const expected = Buffer.from(sign(key, contentType, expires))
      const given = Buffer.from(signature)
      return given.length === expected.length && timingSafeEqual(given, expected) && expires > Date.now() / 1000
    },

    async check() {
      await mkdir(root, { recursive: true })
    },

    close() {},
  }
}

/** Does something in a file's folder, which is made first; again if a delete removed it in between as empty. */
async function inFolderOf(file: string, act: () => Promise<void>, tries = 5): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  try {
    await act()
  } catch (error) {
    if (!isMissing(error) || tries === 0) throw error
    await inFolderOf(file, act, tries - 1)
  }
}

/** Makes a new name in a folder survive a power cut. */
async function syncDirectory(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Folders that held only what was removed; one that is in use again is left alone. */
async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let current = folder; current.startsWith(root + sep); current = dirname(current)) {
    try {
      await rmdir(current)
    } catch {
      return
    }
  }
}
