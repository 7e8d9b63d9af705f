/** What an import makes of a session that has only a part of what it may have. */
import { buffer } from 'node:stream/consumers'
import { inFolder, reportPath } from '@playtherapy/object-store'
import { outbox, renditions, reportVersions, scriptVersions, sessions, videos } from '@playtherapy/schema'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { elsewhere, exported, held } from './import-support.ts'

const everything = { withoutMedia: false, pseudonyms: false }

t.test('a report that was delivered without a script is still one that is done', async (t) => {
  const from = await exported(
    t,
    'file',
    everything,
    {},
    async ({ db, store, seeded: { caseId, sessionId, report } }) => {
      const of = eq(sessions.id, sessionId)
      await db.update(sessions).set({ scriptVersionId: null, reportVersionId: null, scriptStateId: 5 }).where(of)
      await db.delete(reportVersions)
      await db.delete(scriptVersions)
      const path = reportPath('LOCAL', caseId, sessionId, 2)
      const stored = await store.put(inFolder('analyze_report', path), report, { contentType: 'application/json' })
      const row = { sessionId, version: 2, state: 'stored', path, ...stored, levels: [['Evaluation', 1]] } as const
      const [made] = await db
        .insert(reportVersions)
        .values({ ...row, levels: [['Evaluation', 1]] })
        .returning()
      await db
        .update(sessions)
        .set({ reportVersionId: made?.id ?? null, lastReportVersion: 2, analyzeStateId: 3 })
        .where(of)
    },
  )
  const to = await elsewhere(t)
  await to.bring(from.file)
  t.strictSame(await held(to.db, to.store), await held(from.db, from.store))
})

t.test('an analysis whose report the object store had lost is to be made again', async (t) => {
  const from = await exported(t, 'file', everything, {}, async ({ db, store }) => {
    await db.update(sessions).set({ analyzeStateId: 3 })
    const [report] = await db.select().from(reportVersions)
    await store.delete([inFolder('analyze_report', report?.path ?? '')])
  })
  const to = await elsewhere(t)
  await to.bring(from.file)
  t.match(await to.db.select().from(sessions), [{ analyzeStateId: 1, reportVersionId: null, scriptStateId: 3 }])
})

t.test('what was encoded of a recording stays where the object store had lost the original', async (t) => {
  const from = await exported(t, 'file', everything, {}, ({ store, seeded }) =>
    store.delete([inFolder('video', seeded.path)]),
  )
  const to = await elsewhere(t)
  t.match(await to.bring(from.file), { sessions: 1, recordings: 1 })
  const [video] = await to.db.select().from(videos)
  t.match(video, { state: 'stored', container: 'mp4', fileName: '안녕.mp4', size: from.seeded.encoded.length })
  t.match(await to.db.select().from(sessions), [{ videoId: video?.id, encodingStateId: 1, renditionId: null }])
  t.equal(await to.db.$count(renditions), 0, 'it is encoded again')
  t.match(await to.db.select({ name: outbox.name }).from(outbox), [{ name: 'encode-video' }])
  const bytes = await buffer(await to.store.get(inFolder('video', video?.path ?? '')))
  t.ok(bytes.equals(from.seeded.encoded))
})
