/** What was imported is exported again: both files say the same of a case with all kinds of odd texts and sessions. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inFolder, originalPath, scriptPath } from '@playtherapy/object-store'
import { caseExports, cases, type Database, scriptVersions, sessions, videos } from '@playtherapy/schema'
import { desc, eq } from 'drizzle-orm'
import t from 'tap'
import { createExportCase } from '../src/export/export-case.ts'
import { openExport, seedExport, sha256 } from './export-support.ts'
import { elsewhere, exported } from './import-support.ts'

const everything = { withoutMedia: false, pseudonyms: false }

/** Names and texts as people and programs send them. */
const nfd = '지우 é'.normalize('NFD')
const longest = `${'𝒜'.repeat(198)}\u2028 `
const description = {
  age: null,
  gender: '',
  note: `\r\n\t"\\ 👩‍👧‍👦 \u200b${nfd}`,
  '': '',
  constructor: { deep: [null, true, -0.5, 1e21, [], {}] },
  년도: 2_147_483_648.25,
}

/** Adds a session with each kind of odd part, and one with nothing. */
async function addSessions(db: Database, store: Parameters<typeof openExport>[1], caseId: number) {
  await db.insert(sessions).values({ caseId, name: '', createdAt: new Date('1999-12-31T23:59:59.999Z') })
  const [session] = await db.insert(sessions).values({ caseId, name: nfd, videoLengthSetFor: 0 }).returning()
  const sessionId = session?.id ?? 0
  const put = (key: string, bytes: Buffer) => store.put(key, bytes, { contentType: 'application/json' })
  const videoIds: number[] = []
  for (const [index, state] of (['superseded', 'failed'] as const).entries()) {
    const path = originalPath('LOCAL', caseId, sessionId, 10 + index)
    const stored = await put(inFolder('video', path), Buffer.alloc(100 + index, state))
    const failure = state === 'failed' ? 'The recording is damaged.' : null
    const row = { sessionId, state, path, ...stored, failure, container: 'avi', storedAt: new Date(0.5e12) } as const
    const [video] = await db
      .insert(videos)
      .values({ ...row, fileName: index ? null : '회기 1 (최종).avi' })
      .returning()
    videoIds.push(video?.id ?? 0)
  }
  const bytes = Buffer.from('\ufeff{"scripts":\r\n [], "speaker": "\\u0041"}\n')
  const path = scriptPath('LOCAL', caseId, sessionId, 7)
  const stored = await put(inFolder('script', path), bytes)
  const [script] = await db
    .insert(scriptVersions)
    .values({
      ...{ sessionId, version: 7, state: 'stored', path, ...stored, checksum: sha256(bytes) },
      ...{ userId: 7, madeBy: 'starter', createdAt: new Date('2001-02-28T12:00:00.001Z') },
    } as const)
    .returning()
  const one = eq(sessions.id, sessionId)
  await db
    .update(sessions)
    .set({
      videoId: videoIds[1] ?? null,
      encodingStateId: 1,
      lastScriptVersion: 9,
      scriptVersionId: script?.id ?? null,
    })
    .where(one)
  await db
    .update(sessions)
    .set({ encodingStateId: 4, scriptStateId: 3, analyzeStateId: 4, previousVideoLength: '100:00:00' })
    .where(one)
}

/** All documents of an export, with its ids replaced by their order, and the hashes of other files. */
async function contentsOf({ folder, files }: Pick<Awaited<ReturnType<typeof openExport>>, 'folder' | 'files'>) {
  const ids = new Map<string, string>()
  const named = files.map(([name, , , hash]): [string, string] => [
    name.replace(/(?<=\/)\d+(?=[-/])/g, (id) => {
      ids.set(id, ids.get(id) ?? `#${ids.size}`)
      return ids.get(id) ?? ''
    }),
    hash,
  ])
  const documents: Record<string, unknown> = {}
  for (const [index, [name, hash]] of named.entries()) {
    const own = files[index]?.[0] ?? ''
    if (['audit.jsonl', 'manifest.json', 'ro-crate-metadata.json', 'README.txt'].includes(own)) continue
    if (!/(?:case|session)\.json$/.test(own)) documents[name] = hash
    else {
      const text = String(await readFile(join(folder, 'out', own)))
      const reviver = (key: string, value: unknown) =>
        ['id', 'recording', 'rendition_of'].includes(key) && typeof value === 'number'
          ? (ids.get(String(value)) ?? 'id')
          : value
      documents[name] = JSON.parse(text, reviver)
    }
  }
  return documents
}

t.test('an export of what was imported says what the first one says', async (t) => {
  const seed = { givenName: longest, familyName: nfd, description }
  const from = await exported(t, 'file', everything, seed, ({ db, store, seeded }) =>
    addSessions(db, store, seeded.caseId),
  )
  const to = await elsewhere(t)
  const made = await to.bring(from.file)
  t.match(made, { sessions: 3, recordings: 3 })
  await createExportCase({ db: to.db, store: to.store, phase: 'LOCAL', keepSeconds: 60 })(
    { export_id: await seedExport(to.db, made.caseId) },
    { signal: new AbortController().signal },
  )
  const [row] = await to.db.select().from(caseExports).orderBy(desc(caseExports.id))
  const [again, first] = [await contentsOf(await openExport(t, to.store, row?.path)), await contentsOf(from)]
  t.match(Object.keys(first), { length: 18 })
  t.strictSame(JSON.stringify(again, null, 2).split('\n'), JSON.stringify(first, null, 2).split('\n'))
})

t.test('a case without a session is one afterwards', async (t) => {
  const from = await exported(t, 'file', everything, {}, ({ db }) => db.delete(sessions))
  const to = await elsewhere(t)
  t.match(await to.bring(from.file), { sessions: 0, recordings: 0 })
  t.equal(await to.db.$count(cases), 1)
})
