import { inFolder, ObjectMissingError, type ObjectStore, storeUnavailable } from '@playtherapy/object-store'
import { type Cause, type Database, outlastOutage } from '@playtherapy/schema'
import { deletion, isRegistered, registerOriginal } from '../register-original.ts'
import { explain, sniff } from '../sniff.ts'
import { UploadExpiredError } from './errors.ts'
import { type Held, partsOf, release } from './lease.ts'
import { find } from './repository.ts'
import type { Saving } from './saving.ts'

/**
 * Makes the recording of an upload of which every byte is durable, and registers it; until then the lease is renewed. Another
 * process may repeat it if this one dies in between. Throws NotAVideoError, UploadExpiredError, SessionDeletedError,
 * VideoDeletedError, StoreFailedError, and ObjectMissingError when the parts are gone.
 */
export async function complete(
  { db, store }: { db: Database; store: ObjectStore },
  held: Held,
  saving: Saving,
  cause: Cause | undefined,
): Promise<void> {
  await saving.flush()
  const { progress, path, videoId, sessionId, uploadId } = held
  const key = inFolder('video', path)
  // An upload whose length came after its last byte may be shorter than what sniff() needs.
  const start = Buffer.from(progress.start, 'base64')
  const container = progress.container ?? (await sniff(start))
  if (!container) throw await explain(start)
  const parts = await partsOf(db, uploadId)
  const stored = await store.finishUpload(key, progress.storeId ?? '', parts).catch((cause: unknown) => {
    throw cause instanceof ObjectMissingError ? cause : storeUnavailable(cause)
  })
  await saving.stop()
  const original = { videoId, sessionId, container, cause, ...stored }
  const { result } = await outlastOutage(() => registerOriginal(db, 'receiving', original))
  // Another process, or an attempt whose response was lost, may have registered the same object.
  if (!result && !(await isRegistered(db, videoId))) {
    await store.delete([key])
    throw (await find(db, held)) ? new UploadExpiredError() : await deletion(db, sessionId)
  }
  // If the first fails, the lease runs out. The second removes what dead processes left.
  await Promise.all([release(db, held).catch(() => {}), store.abortUploads(key).catch(() => {})])
}
