/** What an import makes of a session that has only a part of what it may have. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { inFolder, reportPath } from '@playtherapy/object-store'
import { outbox, renditions, reportVersions, scriptVersions, sessions, videos } from '@playtherapy/schema'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { elsewhere, exported, held } from './import-support.ts'

type Changed = Parameters<NonNullable<Parameters<typeof exported>[4]>>[0]

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

t.test('a report that is no report keeps nothing else of its case from another installation', async (t) => {
  for (const pseudonyms of [false, true]) {
    const change = async ({ db, store, seeded: { caseId, sessionId } }: Changed) => {
      for (const [version, text] of [
        [2, '{"reports":'],
        [3, '{"reports":{"Evaluation":{}}}'],
      ] as const) {
        const path = reportPath('LOCAL', caseId, sessionId, version)
        const key = inFolder('analyze_report', path)
        const stored = await store.put(key, Buffer.from(text), { contentType: 'application/json' })
        await db.insert(reportVersions).values({ sessionId, version, state: 'stored', path, ...stored })
      }
      await db.update(sessions).set({ lastReportVersion: 3 })
    }
    const from = await exported(t, 'file', { withoutMedia: true, pseudonyms }, {}, change)
    const name = (version: number) => `sessions/${from.seeded.sessionId}/reports/report_v${version}.json`
    const manifest = JSON.parse(String(await readFile(join(from.folder, 'out/manifest.json'))))
    t.strictSame(manifest.missing, [{ path: name(2) }, { path: name(3) }])
    const to = await elsewhere(t)
    t.match(await to.bring(from.file), { sessions: 1 })
    t.match(await to.db.select({ version: reportVersions.version }).from(reportVersions), [{ version: 1 }])
  }
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
