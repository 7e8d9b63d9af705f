import type { Readable } from 'node:stream'

/** One stored object. `size` in bytes; `etag` with its quotes, as the store gives it. */
export interface ObjectInfo {
  key: string
  size: number
  etag: string
  lastModified: Date
}

/** What a client's PUT to a presigned URL left. */
export interface UploadedObject extends ObjectInfo {
  /**
   * Whether it is what a PUT of bytes and a content type leaves, and nothing besides. A request can bear headers that
   * nobody signed, which some servers obey: a copy of another object, other readers, tags, metadata, a redirect.
   */
  isPlain: boolean
}

/** Whether presigned URLs may be given out. */
export interface UploadVerdict {
  safe: boolean
  /** What the operator should know, in a whole sentence. */
  notice?: string
}

/** An upload that has begun and neither ended nor been aborted. */
export interface UnfinishedUpload {
  key: string
  began: Date
}

/** What is stored: bytes as they come, or all of them. */
export type Body = AsyncIterable<Uint8Array> | Uint8Array

export interface PutOptions {
  contentType: string
  /** Aborting it stops the transfer and leaves nothing behind: no object, no unfinished multipart upload. */
  signal?: AbortSignal
}

/** Leave to read from the store once. */
export interface Turn {
  /** Bytes that may be asked for at most. */
  bytes: number
  giveBack: () => void
}

export interface GetOptions {
  /** First byte wanted, 0 by default. */
  start?: number
  /** Last byte wanted, inclusive; the end of the object by default. */
  end?: number
  /** The ETag the object must still have; ObjectChangedError otherwise. */
  ifMatch?: string
  /**
   * Awaited before a connection, or a file, is opened, perhaps several times in a read; its `giveBack` is called when
   * that is closed again. So a caller can bound how many there are at once, and how much is asked of the store.
   */
  turn?: () => Promise<Turn>
  /** Aborting it destroys the stream and frees its connection. */
  signal?: AbortSignal
}

export interface PresignPutOptions {
  /** The only Content-Type the URL accepts. */
  contentType: string
  /** Seconds in which a PUT may start. */
  expiresIn: number
}

/**
 * Where recordings, scripts and reports lie. Two implementations pass one contract suite: S3 (production) and a
 * folder (embedded default). Objects are written once under a key of their own; nothing here overwrites.
 */
export interface ObjectStore {
  /**
   * Streams `body` to `key` with bounded memory, or stores one that is at hand whole; resolves when the object is
   * durable. Rejects with ObjectExistsError when something lies there already.
   */
  put(key: string, body: Body, options: PutOptions): Promise<{ size: number; etag: string }>
  /** What is stored under `key`, or undefined. */
  head(key: string): Promise<ObjectInfo | undefined>
  /**
   * A stream of the bytes asked for. It holds a connection or a file only while bytes move, so a reader may pause for
   * any time. Rejects with ObjectMissingError or ObjectChangedError before any byte, and fails with them when the object
   * is replaced or removed during a pause.
   */
  get(key: string, options?: GetOptions): Promise<Readable>
  /** Removes the objects and every older version of them; one that is not there counts as removed. */
  delete(keys: readonly string[]): Promise<void>
  /**
   * Every key that starts with `prefix` and under which anything lies, however many. In a versioned bucket that includes
   * what was deleted and is still kept; `size` is then that of all versions.
   */
  list(prefix: string): AsyncIterable<ObjectInfo>
  /** Every unfinished upload whose key starts with `prefix`, and when it began. */
  unfinished(prefix: string): AsyncIterable<UnfinishedUpload>
  /** Aborts unfinished uploads whose key starts with `prefix`; returns how many there were. */
  abortUploads(prefix: string): Promise<number>
  /** What lies under a key that a presigned URL was given out for, or undefined. */
  inspectUpload(key: string): Promise<UploadedObject | undefined>
  /**
   * Whether the bearer of a presigned URL can do no more than store bytes under its key, found out by trying. Rejects
   * when the store cannot be used right now.
   */
  judgeUploads(): Promise<UploadVerdict>
  /**
   * A URL under the store's public address for one PUT of a whole object; it answers exactly 200. Rejects with
   * UnsafeUploadsError where `judgeUploads` finds that it would open more than that.
   */
  presignPut(key: string, options: PresignPutOptions): Promise<string>
  /** Rejects when the store cannot be used right now; for readiness. */
  check(): Promise<void>
  /** Frees connections. */
  close(): void
}

/** No object under that key. */
export class ObjectMissingError extends Error {
  override name = 'ObjectMissingError'
}

/** The object is not the one whose ETag was recorded. */
export class ObjectChangedError extends Error {
  override name = 'ObjectChangedError'
}

/** Something lies under that key already; objects are written once. */
export class ObjectExistsError extends Error {
  override name = 'ObjectExistsError'
}

/** What had to be stored was not, or what had to be there was not found; `cause` says why, where the store said so. */
export class StoreFailedError extends Error {
  override name = 'StoreFailedError'
}

/** A presigned URL of this store would let its bearer reach what is another's; the message says how. */
export class UnsafeUploadsError extends Error {
  override name = 'UnsafeUploadsError'
}
