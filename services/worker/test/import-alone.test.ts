/** An import beside a sweep of orphans, and one whose commit gets no response. */
import type { ObjectStore } from '@playtherapy/object-store'
import { cases, type Database, tryLock } from '@playtherapy/schema'
import t from 'tap'
import { openArchive } from '../src/import/archive.ts'
import { importCase } from '../src/import/import-case.ts'
import { sweepOrphansAlone } from '../src/reconcile/orphans.ts'
import { elsewhere, exported, held } from './import-support.ts'

t.test('no sweep of orphans runs during an import, and no import during a sweep', async (t) => {
  const from = await exported(t)
  const to = await elsewhere(t)
  const resources = { db: to.db, phase: 'LOCAL' as const }
  const swept: number[] = []
  const store: ObjectStore = Object.assign(Object.create(to.store), {
    async put(...asked: Parameters<ObjectStore['put']>) {
      const stored = await to.store.put(...asked)
      swept.push(await sweepOrphansAlone({ ...resources, store: to.store }, -60))
      return stored
    },
  })
  const archive = await openArchive(from.file)
  await importCase({ ...resources, store }, archive, 12).finally(archive.close)
  t.ok(swept.length > 3 && swept.every((count) => count === 0))
  t.strictSame(await held(to.db, to.store), await held(from.db, from.store))
  const before = await to.left()
  await to.db.transaction(async (tx) => {
    t.ok(await tryLock(tx, 'sweepOrphans'))
    await t.rejects(to.bring(from.file), { name: 'ImportError', message: /when it has finished/ })
  })
  t.strictSame(await to.left(), before)
})

t.test('a commit whose response is lost keeps what it has committed', async (t) => {
  const from = await exported(t)
  const to = await elsewhere(t)
  const lost = (keeps: boolean): Database =>
    Object.assign(Object.create(to.db), {
      async transaction(work: Parameters<Database['transaction']>[0]) {
        const closed = Object.assign(new Error('the connection was closed'), { code: 'CONNECTION_CLOSED' })
        await to.db.transaction(async (tx) => {
          await work(tx)
          if (!keeps) throw closed
        })
        throw closed
      },
    })
  const bring = async (db: Database) => {
    const archive = await openArchive(from.file)
    return importCase({ db, store: to.store, phase: 'LOCAL' }, archive, 12).finally(archive.close)
  }
  t.match(await bring(lost(true)), { sessions: 1, recordings: 1 })
  t.strictSame(await held(to.db, to.store), await held(from.db, from.store))
  await to.db.delete(cases)
  const before = (await to.left()).keys.length
  await t.rejects(bring(lost(false)), { code: 'CONNECTION_CLOSED' })
  const { keys, cases: count } = await to.left()
  t.strictSame([keys.length, count], [2 * before, 0], 'it may still be committed, so the sweep of orphans removes them')
})
