/** Erasure and the orphan sweep in a bucket that keeps versions. */
import { chunkPath, createS3Store, previewPath } from '@playtherapy/object-store'
import { cases, erasures, sessions } from '@playtherapy/schema'
import { hideVersions, storeBackends, testBucket, testDatabase, versionsIn } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { createErase } from '../src/erase/erase.ts'
import { findOrphans, sweepOrphans } from '../src/reconcile/orphans.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'

for (const last of ['Enabled', 'Suspended'] as const) {
  t.test(`nothing is left of what is erased or swept, versions ${last}`, { skip }, async (t) => {
    const { db } = await testDatabase(t)
    const settings = await testBucket()
    const store = createS3Store(settings)
    t.teardown(() => store.close())
    const [owned] = await db.insert(cases).values({ userId: 1, givenName: 'a' }).returning()
    const caseId = owned?.id ?? 0
    const [kept] = await db.insert(sessions).values({ caseId, name: 'kept' }).returning()
    const [gone] = await db.insert(sessions).values({ caseId, name: 'gone' }).returning()
    const put = (key: string, body: string) => store.put(key, Buffer.from(body), { contentType: 'video/mp4' })
    const below = (session = 0) => `LOCAL/${caseId}/${session}`
    const original = `${below(gone?.id)}/1.mp4`
    const erased = [original, chunkPath(original, 1, 1, 'upper'), previewPath(original, 1, 'poster')]
      .map((path) => `video/${path}`)
      .concat(`script/${below(gone?.id)}/script_v1.json`)
    const orphan = `script/${below(kept?.id)}/script_v9.json`
    const others = [`video/${below(kept?.id)}/notes.txt`, `video/${below(gone?.id)}0/1.mp4`]

    // Versions of before and after each change, and objects that an older version of ours only hid.
    for (const state of ['Enabled', 'Suspended', 'Enabled', last] as const) {
      await hideVersions(t, settings, state, [...erased, orphan])
    }
    for (const key of others) await put(key, 'x')
    t.ok((await versionsIn(t, settings)).length > 12, 'versions and markers')
    for (const key of [...erased, orphan]) t.equal(await store.head(key), undefined, 'hidden')

    await db.delete(sessions).where(eq(sessions.id, gone?.id ?? 0))
    const resources = { db, store, phase: 'LOCAL' } as const
    const [erasure] = await db
      .insert(erasures)
      .values({ caseId, sessionId: gone?.id ?? 0 })
      .returning()
    await createErase(resources)({ erasure_id: erasure?.id ?? 0 })
    const left = async () => [...new Set(await versionsIn(t, settings))].sort()
    t.strictSame(await left(), [orphan, ...others].sort(), 'erased')

    const found: string[] = []
    // Stores note whole seconds.
    while (found.length === 0)
      for await (const batch of findOrphans(resources, 0)) found.push(...batch.map(({ key }) => key))
    t.strictSame(found, [orphan], 'what is hidden has no owner either')
    t.equal(await sweepOrphans(resources, 0), 1)
    t.strictSame(await left(), others.toSorted())
  })
}
