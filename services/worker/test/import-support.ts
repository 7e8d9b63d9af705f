import { buffer } from 'node:stream/consumers'
import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import {
  caseExports,
  cases,
  type Database,
  outbox,
  renditions,
  reportVersions,
  scriptVersions,
  sessions,
  videos,
} from '@playtherapy/schema'
import { type storeBackends, type Teardown, testDatabase, testStore } from '@playtherapy/testing'
import { createExportCase } from '../src/export/export-case.ts'
import { openArchive } from '../src/import/archive.ts'
import { importCase } from '../src/import/import-case.ts'
import { openExport, seedCase, seedExport } from './export-support.ts'

const signal = new AbortController().signal

/** All that an installation holds, with ids of rows replaced by what they point to, and objects by their bytes. */
export async function held(db: Database, store: ObjectStore) {
  const bytesOf = async (folder: 'video' | 'script' | 'analyze_report', path: string) =>
    (await buffer(await store.get(inFolder(folder, path)))).toString('base64')
  const [owned] = await db.select().from(cases)
  const rows = await db.select().from(sessions)
  const all = []
  for (const { id, caseId, videoId, renditionId, scriptVersionId, reportVersionId, ...session } of rows) {
    const recordings = await db.select().from(videos).orderBy(videos.id)
    const outputs = await db.select().from(renditions)
    const scripts = await db.select().from(scriptVersions).orderBy(scriptVersions.version)
    const reports = await db.select().from(reportVersions)
    all.push({
      session,
      current: {
        recording: recordings.findIndex((row) => row.id === videoId),
        rendition: outputs.findIndex((row) => row.id === renditionId),
        script: scripts.findIndex((row) => row.id === scriptVersionId),
        report: reports.findIndex((row) => row.id === reportVersionId),
      },
      recordings: await Promise.all(
        recordings.map(async ({ state, container, size, fileName, createdAt, path }) => [
          ...[state, container, size, fileName, createdAt],
          await bytesOf('video', path),
        ]),
      ),
      renditions: await Promise.all(
        outputs.map(async ({ size, durationMs, width, height, createdAt, path }) => [
          ...[size, durationMs, width, height, createdAt],
          await bytesOf('video', path),
        ]),
      ),
      scripts: await Promise.all(
        scripts.map(async ({ version, state, size, madeBy, warnings, createdAt, path }) => [
          ...[version, state, size, madeBy, warnings, createdAt],
          await bytesOf('script', path),
        ]),
      ),
      reports: await Promise.all(
        reports.map(async ({ version, state, size, levels, scriptVersionId, createdAt, path }) => [
          ...[version, state, size, levels, createdAt, scripts.findIndex((row) => row.id === scriptVersionId)],
          await bytesOf('analyze_report', path),
        ]),
      ),
    })
  }
  const { givenName, familyName, description, caseStateId, createdAt, updatedAt } = owned ?? {}
  return { owned: { givenName, familyName, description, caseStateId, createdAt, updatedAt }, all }
}

type Seeded = Awaited<ReturnType<typeof seedCase>>

/** A case that was seeded, changed and exported: its installation, and the file as other programs read it. */
export async function exported(
  t: Teardown,
  backend: (typeof storeBackends)[number] = 'file',
  wanted = { withoutMedia: false, pseudonyms: false },
  seed = {},
  change: (installation: { db: Database; store: ObjectStore; seeded: Seeded }) => Promise<unknown> = async () => {},
) {
  const { db } = await testDatabase(t)
  const store = await testStore(t, backend)
  const seeded = await seedCase(db, store, seed)
  await change({ db, store, seeded })
  await createExportCase({ db, store, phase: 'LOCAL', keepSeconds: 60 })(
    { export_id: await seedExport(db, seeded.caseId, wanted) },
    { signal },
  )
  const [row] = await db.select().from(caseExports)
  return { db, store, seeded, ...(await openExport(t, store, row?.path)) }
}

/** Another installation, which has no case: `bring` imports a file into it, and `left` says what it holds. */
export async function elsewhere(t: Teardown, backend: (typeof storeBackends)[number] = 'file') {
  const { db } = await testDatabase(t)
  const store = await testStore(t, backend)
  await seedCase(db, store)
  // Ids differ from those of the file.
  await db.delete(cases)
  for await (const { key } of store.list('')) await store.delete([key])
  const bring = async (file: string) => {
    const archive = await openArchive(file)
    return importCase({ db, store, phase: 'LOCAL' }, archive, 12).finally(archive.close)
  }
  const left = async () => {
    const keys: string[] = []
    for await (const { key } of store.list('')) keys.push(key)
    return { keys, cases: await db.$count(cases), outbox: await db.$count(outbox) }
  }
  return { db, store, bring, left }
}
/** What `left` says of an installation without a case. */
export const nothing = { keys: [], cases: 0, outbox: 0 }
