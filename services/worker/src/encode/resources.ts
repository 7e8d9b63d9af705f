import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { openScratchFile, type ScratchFile } from '../ffmpeg/scratch.ts'
import type { EncodeMeasures } from './measures.ts'

export interface EncodeSettings {
  scratchDirectory: string
  scratchMaxBytes: number
  /** Longest recording, in seconds. */
  maxSeconds: number
  /** Memory of one ffmpeg, in bytes. */
  memoryBytes: number
  stallSeconds: number
  ffmpegPath: string
  ffprobePath: string
}

export interface EncodeResources {
  db: Database
  store: ObjectStore
  settings: EncodeSettings
  measures: EncodeMeasures
}

/** Works with so many scratch files, which are removed in any case. */
export async function withScratch<T>(
  { scratchDirectory }: Pick<EncodeSettings, 'scratchDirectory'>,
  count: number,
  work: (files: ScratchFile[]) => Promise<T>,
): Promise<T> {
  const files: ScratchFile[] = []
  try {
    while (files.length < count) files.push(await openScratchFile(scratchDirectory))
    return await work(files)
  } finally {
    await Promise.all(files.map((file) => file.close()))
  }
}

export interface NewObject {
  path: string
  contentType: string
  file: ScratchFile
}

export type StoredObject = { path: string; size: number; etag: string }

/** Stores all of these scratch files, or none. They are written at once. */
export async function putAll(store: ObjectStore, objects: NewObject[], signal: AbortSignal): Promise<StoredObject[]> {
  const put = async ({ path, contentType, file }: NewObject): Promise<StoredObject> => {
    const body = file.handle.createReadStream({ start: 0, autoClose: false })
    try {
      return { path, ...(await store.put(inFolder('video', path), body, { contentType, signal })) }
    } finally {
      body.destroy()
    }
  }
  const puts = await Promise.allSettled(objects.map(put))
  const stored = puts.flatMap((put) => (put.status === 'fulfilled' ? [put.value] : []))
  const [failed] = puts.flatMap((put) => (put.status === 'rejected' ? [put] : []))
  if (!failed) return stored
  // The orphan sweep removes objects that cannot be removed now.
  await discard(
    store,
    stored.map(({ path }) => path),
  ).catch(() => {})
  throw failed.reason
}

/** Removes the objects of these paths. */
export const discard = async (store: ObjectStore, paths: string[]): Promise<void> => {
  if (paths.length > 0) await store.delete(paths.map((path) => inFolder('video', path)))
}
