import { isAwaited } from '@playtherapy/intake'
import { createFileStore, createS3Store, fileRoutes, type ObjectStore, prepareBucket } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { requireEncryption } from '@playtherapy/service-kit'
import { admitUploads } from './admit-upload.ts'
import { keptSecret } from './data-directory.ts'
import { reach } from './reach.ts'
import type { Settings } from './settings.ts'

interface OpenStore {
  store: ObjectStore
  /** What it is, to be printed. */
  what: string
  /** The routes of presigned uploads, which S3 has itself. */
  routes?: ReturnType<typeof fileRoutes>
}

/** Opens S3, and makes its bucket, where it is configured; otherwise a folder whose presigned URLs begin with `publicUrl`. */
export async function openStore(
  { s3 }: Settings,
  data: { path: string; objects: string },
  { db, publicUrl, corsOrigins }: { db: Database; publicUrl: string; corsOrigins: string[] },
): Promise<OpenStore> {
  if (s3) {
    const address = s3.endpoint ?? 'https://s3.amazonaws.com'
    const refused = await reach('The object store', address, prepareBucket(s3, { corsOrigins }))
    const what = refused.length > 0 ? `S3; to be set up there by hand: ${refused.join(', ')}` : 'S3'
    const store = createS3Store(s3)
    await requireEncryption(store)
    return { store, what }
  }
  const secret = await keptSecret(data.path, 'url-secret')
  const store = createFileStore({ directory: data.objects, publicUrl, secret })
  return {
    store,
    what: 'a folder',
    routes: fileRoutes({ store, admit: admitUploads(), isAwaited: (key) => isAwaited(db, key) }),
  }
}
