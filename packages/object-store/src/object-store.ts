import type { Readable } from 'node:stream'

/** One stored object. `size` in bytes; `etag` with its quotes, as the store gives it. */
export interface ObjectInfo {
  key: string
  size: number
  etag: string
  lastModified: Date
}

/** An object with all that a bucket keeps of it. */
export interface ListedObject extends ObjectInfo {
  /** Versions and delete markers; 1 where none are kept. */
  versions: number
}

/** What keeps or copies objects outside of our reach; undefined where the store does not tell. */
export interface Keeping {
  /** Whether the bucket keeps versions, or kept some once. */
  versions: boolean | undefined
  /** Whether Object Lock may keep versions. */
  lock: boolean | undefined
  /** Whether objects are copied to another bucket. */
  replication: boolean | undefined
}

/** What a client stored through a presigned URL. */
export interface UploadedObject extends ObjectInfo {
  /** Its first bytes, as many as were asked for. */
  start: Uint8Array
  /**
   * Whether only bytes and a content type were stored. A request can have headers that nobody signed, and some servers
   * obey them: a copy of another object, other readers, tags, metadata, a redirect.
   */
  isPlain: boolean
}

/** Whether presigned URLs may be given out. */
export interface UploadVerdict {
  safe: boolean
  /** A sentence for the operator. */
  notice?: string
}

/** An upload that neither ended nor was aborted. */
export interface UnfinishedUpload {
  key: string
  began: Date
}

/** A part of an object that is stored in several calls. */
export interface StoredPart {
  number: number
  /** Bytes. */
  size: number
  etag: string
}

/** Bytes of such an object that are too few for a part; the name is for the store. */
export interface Tail {
  name: string
  size: number
}

/** How far an object has come that is stored in several calls. The caller remembers it. */
export interface Begun {
  /** What `beginUpload` returned. */
  id: string
  /** Bytes of all parts. */
  partsBytes: number
  /** The number of the next part: 1, and then one more than that of the last part. */
  nextPart: number
  /** Bytes after those of the parts. */
  tail: Tail | undefined
  /** Bytes of each call, if all but the last bring as many: parts end with them. It is the same for all calls of an upload. */
  requestBytes?: number | undefined
}

export interface AppendOptions {
  /** Bytes of the whole object, if they are known: only with its last byte a part may be small. */
  length: number | undefined
  /** Called for each part, in their order, when it is durable. The first one has the bytes of the earlier tail. */
  onPart: (part: StoredPart) => void
  /** Aborting it stops the transfer; parts that were not reported are never a part of the object. */
  signal: AbortSignal
}

/** The bytes to store, as a stream or whole. */
export type Body = AsyncIterable<Uint8Array> | Uint8Array

/** The bytes of one version of an object. */
export interface StoredVersion {
  key: string
  /** Undefined where the store names the version and does not give it out, as one that was encrypted with a foreign key. */
  bytes: Uint8Array | undefined
  /** Until when Object Lock keeps it; undefined where it does not, or the store does not tell. */
  lockedUntil: Date | undefined
}

export interface PutOptions {
  contentType: string
  /** Where the bucket has Object Lock, nobody can remove the object before. Only for an object that fits into one part. */
  keepUntil?: Date
  /** Aborting it stops the transfer; neither an object nor an unfinished upload remains. */
  signal?: AbortSignal
}

/** Permission for one read from the store. */
export interface Turn {
  /** Most bytes to read. */
  bytes: number
  giveBack: () => void
}

export interface GetOptions {
  /** First byte, 0 by default. */
  start?: number
  /** Last byte, inclusive; the end of the object by default. */
  end?: number
  /** The ETag that the object must have; ObjectChangedError otherwise. */
  ifMatch?: string
  /**
   * Awaited before each connection or file is opened; `giveBack` is called when it is closed. So a caller bounds the
   * number of open ones, and the bytes that are read at once.
   */
  turn?: () => Promise<Turn>
  /** Aborting it destroys the stream and frees its connection. */
  signal?: AbortSignal
}

export interface PresignPutOptions {
  /** The only Content-Type that the URL accepts. */
  contentType: string
  /** Seconds in which a PUT may start. */
  expiresIn: number
}

/**
 * Stores recordings, scripts and reports. S3 (production) and a folder (embedded default) pass one contract suite. Each
 * object is written once, under a key of its own; nothing here overwrites.
 */
export interface ObjectStore {
  /**
   * Stores `body` under `key` with bounded memory; resolves when the object is durable. Rejects with ObjectExistsError
   * when the key is in use.
   */
  put(key: string, body: Body, options: PutOptions): Promise<{ size: number; etag: string }>
  /** Begins an object that is stored in several calls, perhaps of several processes; returns the id of the upload. */
  beginUpload(key: string): Promise<string>
  /**
   * Stores the next bytes of an object, with bounded memory. Resolves when all are durable, to the tail if they do not fill
   * the last part: then the caller removes the earlier one with `removeTail`. One call at a time may write an upload; one that was
   * thought dead and goes on does no harm if its bytes are the same. Rejects with ObjectMissingError when the upload was aborted, and
   * with what `body` throws.
   */
  appendUpload(
    key: string,
    begun: Begun,
    body: AsyncIterable<Uint8Array>,
    options: AppendOptions,
  ): Promise<Tail | undefined>
  /** Removes what was stored for a tail that the object no longer needs, but for what its tail `kept` shares with it. */
  removeTail(key: string, tail: Tail, kept: Tail | undefined): Promise<void>
  /**
   * Makes the object of these parts, which are in their order. It may be repeated, also after it has succeeded. Rejects when
   * the upload was aborted or a part has another ETag, mostly with ObjectMissingError; some servers only say that they failed
   * (Ceph 16). It takes minutes where the store is slow to join the parts or, in a folder, to copy them.
   */
  finishUpload(key: string, id: string, parts: StoredPart[]): Promise<{ size: number; etag: string }>
  /** The object under `key`, or undefined. */
  head(key: string): Promise<ObjectInfo | undefined>
  /**
   * A stream of the object, or of a range. It holds a connection or a file only while bytes move, so a reader may pause
   * for any time. Rejects with ObjectMissingError or ObjectChangedError before any byte; the stream fails with them when
   * the object is replaced or removed during a pause.
   */
  get(key: string, options?: GetOptions): Promise<Readable>
  /**
   * Removes the objects and all their versions; a missing one counts as removed. One that cannot be removed keeps no other one: the
   * promise rejects when all were tried, with ObjectsLockedError if only Object Lock kept some.
   */
  delete(keys: readonly string[]): Promise<void>
  /**
   * All objects whose key starts with `prefix`. In a versioned bucket these include deleted ones that have versions, and
   * `size` is that of all versions.
   */
  list(prefix: string): AsyncIterable<ListedObject>
  /**
   * All objects whose key starts with `prefix`, and in a versioned bucket all their versions, those
   * that were replaced or deleted included; of each at most the first `mostBytes` bytes. Several are read at the same time, which have
   * together no more than 16 MiB, or one that has more.
   */
  history(prefix: string, mostBytes: number): AsyncIterable<StoredVersion>
  /** All unfinished uploads whose key starts with `prefix`, and what presigned URLs brought for such keys. */
  unfinished(prefix: string): AsyncIterable<UnfinishedUpload>
  /** Removes what `unfinished` finds; returns the number. */
  abortUploads(prefix: string): Promise<number>
  /**
   * What the last PUT to a presigned URL of this key brought, with its first `bytes` bytes, or undefined. It is kept apart
   * from the object `key` until it is adopted.
   */
  inspectUpload(key: string, bytes: number): Promise<UploadedObject | undefined>
  /**
   * Makes the object `key` of what a presigned URL brought; no later PUT changes it. It may be repeated, but not at the same
   * time. Rejects with ObjectMissingError or ObjectChangedError unless that has the ETag `etag`.
   */
  adoptUpload(key: string, etag: string): Promise<{ size: number; etag: string }>
  /** Finds out, by attacks, whether a presigned URL allows only to store bytes under its key. Rejects in an outage. */
  judgeUploads(): Promise<UploadVerdict>
  /**
   * A URL under the store's public address for PUTs of a body, of which the last is what `inspectUpload` finds. Their
   * response is exactly 200. Rejects with UnsafeUploadsError if `judgeUploads` finds that it would allow more.
   */
  presignPut(key: string, options: PresignPutOptions): Promise<string>
  /** Rejects with NotEncryptedError unless objects are encrypted as the settings say, and otherwise in an outage. */
  checkEncryption(): Promise<void>
  /** What may keep or copy objects that are removed here. */
  keeping(): Promise<Keeping>
  /** Bytes of the store's disk; undefined where the store cannot tell, as S3. */
  room(): Promise<{ freeBytes: number; totalBytes: number } | undefined>
  /** For readiness: rejects while the store cannot be used. */
  check(): Promise<void>
  /** Frees connections. */
  close(): void
}

export class ObjectMissingError extends Error {
  override name = 'ObjectMissingError'
}

/** The object has another ETag than the recorded one. */
export class ObjectChangedError extends Error {
  override name = 'ObjectChangedError'
}

/** The key is in use; objects are written once. */
export class ObjectExistsError extends Error {
  override name = 'ObjectExistsError'
}

/** Until when a lock keeps an object; without a date for a legal hold, which somebody has to end. */
export interface ObjectLock {
  key: string
  until: Date | undefined
}

/** Object Lock kept versions from being removed, each of which is named once for its key. */
export class ObjectsLockedError extends Error {
  override name = 'ObjectsLockedError'
  readonly locks: ObjectLock[]
  constructor(locks: ObjectLock[]) {
    super('the object store has locked some of the objects')
    this.locks = locks
  }
}

/** The object store sent nothing for so long that it counts as hanging. A repetition would wait as long again. */
export class StoreSilentError extends Error {
  override name = 'StoreSilentError'
  constructor() {
    super('the object store does not answer')
  }
}

/** Why a document or a recording is not stored; `type` in the detail of the response. */
export type StoreFailure = 'store_unavailable' | 'not_uploaded' | 'not_plain'

/**
 * An object is not stored. The message continues the sentence "the upload …" and is sent to the client; `cause` is the
 * store's error, if any.
 */
export class StoreFailedError extends Error {
  override name = 'StoreFailedError'
  readonly reason: StoreFailure
  constructor(message: string, reason: StoreFailure, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** The error for an object that the store did not accept; `cause` is the store's error. */
export const storeUnavailable = (cause: unknown): StoreFailedError =>
  new StoreFailedError('could not be stored, because the object store does not work right now', 'store_unavailable', {
    cause,
  })

/** A presigned URL of this store would give access to other objects; the message says how. */
export class UnsafeUploadsError extends Error {
  override name = 'UnsafeUploadsError'
}

/** The object store does not encrypt as the settings say, so that nothing is written there. */
export class NotEncryptedError extends Error {
  override name = 'NotEncryptedError'
}
