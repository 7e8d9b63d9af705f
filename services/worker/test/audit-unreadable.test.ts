/** What somebody has done to the objects of the audit trail keeps nothing else from being verified. */
import { auditHeadPrefix, auditRestorePrefix, createS3Store } from '@playtherapy/object-store'
import { encryptForeign, hideVersions, replaceObject, storeBackends, testBucket } from '@playtherapy/testing'
import t from 'tap'
import { restores, writeRestore } from '../src/audit/head.ts'
import { all, trail } from './audit-support.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'
const head = (id: number) => ({
  ...{ id, hash: id.toString(16).padStart(64, '0'), sealedAt: new Date(), lastAt: undefined, lockedUntil: undefined },
  isLost: false,
})

t.test(
  'what the store does not give out, or nobody has written so, is named, and the rest is verified',
  { skip },
  async (t) => {
    const settings = await testBucket()
    await hideVersions(t, settings, 'Enabled', [])
    const store = createS3Store(settings)
    t.teardown(() => store.close())
    const { db, phase, seal, publish, check, add } = await trail(t, 10, store)
    await seal()
    await publish()
    await add(5)
    await seal()
    await publish()
    await writeRestore({ db, store, phase }, 15, [head(15), head(12)])
    const whole = { sealed: 15, heads: 2, lost: 0 }
    t.match(await check(), { ...whole, faults: [] })

    const [first] = await all(store.list(auditHeadPrefix(phase)))
    const [restore] = await all(store.list(auditRestorePrefix(phase)))
    for (const key of [first?.key, restore?.key]) await encryptForeign(t, settings, key ?? '')
    const unreadable = [
      '15 is the last one of a restore in the object store that nobody can read',
      '10 has a head in the object store that nobody can read',
    ]
    t.match(await check(), { ...whole, faults: unreadable })
    t.strictSame(
      (await all(restores({ store, phase }))).map((restore) => 'lost' in restore),
      [false, true],
    )
    await publish()

    for (const body of ['', '{}', `[${'['.repeat(50_000)}`]) await replaceObject(t, settings, restore?.key ?? '', body)
    const { faults } = await check()
    t.strictSame(faults, [...Array.from({ length: 3 }, () => unreadable[0]), ...unreadable])
  },
)

t.test('a restore that has lost more heads than one object may name has several', async (t) => {
  const { db, store, phase } = await trail(t)
  const lost = Array.from({ length: 100_001 }, (_, index) => head(100_001 - index))
  await writeRestore({ db, store, phase }, 7, lost)
  const said = (await all(restores({ store, phase }))).flatMap((restore) => ('lost' in restore ? [restore] : []))
  t.strictSame(
    said.map(({ lost, last_id }) => [lost.length, last_id]),
    [
      [50_000, 7],
      [50_000, 7],
      [1, 7],
    ],
  )
  t.equal(new Set(said.flatMap(({ lost }) => lost.map(({ id }) => id))).size, lost.length)
})
