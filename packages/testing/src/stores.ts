import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createFileStore,
  createS3Store,
  type ObjectStore,
  prepareBucket,
  type S3Settings,
} from '@playtherapy/object-store'
import type { Teardown } from './database.ts'
import { randomName } from './names.ts'

export type StoreBackend = 'file' | 's3'

/** The object stores that can be tested here; what stores objects is tested on each. */
export const storeBackends: StoreBackend[] = process.env.TEST_S3 ? ['file', 's3'] : ['file']

/** Settings of a fresh bucket of the test's own, which goes with the server. */
export async function testBucket(corsOrigins = ['http://localhost:3000']): Promise<S3Settings> {
  const server = process.env.TEST_S3
  if (!server) throw new Error('TEST_S3 is not set: run tests through `npm test`')
  const settings: S3Settings = { ...JSON.parse(server), bucket: randomName().replaceAll('_', '-') }
  await prepareBucket(settings, { corsOrigins })
  return settings
}

/** A fresh object store of the given kind; one that gives out URLs on a folder needs the address they are for. */
export async function testStore(t: Teardown, backend: StoreBackend): Promise<ObjectStore> {
  if (backend === 's3') {
    const store = createS3Store(await testBucket())
    t.teardown(() => store.close())
    return store
  }
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-objects-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return createFileStore({ directory, publicUrl: 'http://localhost:8080', secret: randomName() })
}
