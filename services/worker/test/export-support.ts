import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import {
  inFolder,
  type ObjectStore,
  originalPath,
  renditionPath,
  reportPath,
  scriptPath,
} from '@playtherapy/object-store'
import {
  caseExports,
  cases,
  type Database,
  renditions,
  reportVersions,
  scriptVersions,
  sessions,
  videos,
} from '@playtherapy/schema'
import { isMissing, type Teardown } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'

/** Seeds a case of therapist 7 with one session that has a recording, two scripts, one with a byte order mark, and a report. */
export async function seedCase(
  db: Database,
  store: ObjectStore,
  { givenName = '지우', familyName = '김', description = {}, text = '안녕' } = {},
) {
  const [owned] = await db.insert(cases).values({ userId: 7, givenName, familyName, description }).returning()
  if (!owned) throw new Error('no case')
  const [session] = await db
    .insert(sessions)
    .values({ caseId: owned.id, name: `${text} 1` })
    .returning()
  if (!session) throw new Error('no session')
  const of = { sessionId: session.id }
  const put = (key: string, bytes: Uint8Array) => store.put(key, bytes, { contentType: 'application/octet-stream' })
  const original = Buffer.alloc(300_000, 'original')
  const encoded = Buffer.alloc(200_000, 'encoded')
  const path = originalPath('LOCAL', owned.id, session.id, 1)
  const stored = await put(inFolder('video', path), original)
  const [video] = await db
    .insert(videos)
    .values({
      ...of,
      state: 'encoded',
      path,
      ...stored,
      container: 'mp4',
      fileName: `${text}.mp4`,
      storedAt: new Date(),
    })
    .returning()
  if (!video) throw new Error('no video')
  const made = renditionPath(path, 1)
  const output = await put(inFolder('video', made), encoded)
  const [rendition] = await db
    .insert(renditions)
    .values({ ...of, videoId: video.id, path: made, ...output, durationMs: 1000, width: 160, height: 120 })
    .returning()
  const scripts = []
  for (const version of [1, 3]) {
    const script = {
      scripts: [{ start_time: '00:00:00', end_time: '00:00:01', speaker: 'T', text: `${text} ${version}` }],
    }
    // The second one begins with a byte order mark, as programs on Windows write it.
    const bytes = Buffer.from(`${version === 3 ? '\ufeff' : ''}${JSON.stringify(script)}`)
    const key = scriptPath('LOCAL', owned.id, session.id, version)
    const { size, etag } = await put(inFolder('script', key), bytes)
    const [row] = await db
      .insert(scriptVersions)
      .values({
        ...of,
        version,
        state: 'stored',
        path: key,
        size,
        etag,
        // Versions of older releases have none.
        checksum: version === 3 ? sha256(bytes) : null,
        userId: 7,
        warnings: [{ record: 0, field: 'start_time', kind: 'odd' }],
      })
      .returning()
    if (row) scripts.push(row)
  }
  const report = Buffer.from(
    JSON.stringify({
      reports: { Evaluation: { category: 'Evaluation', descriptions: text, interactions: [], level: 1 } },
    }),
  )
  const reportKey = reportPath('LOCAL', owned.id, session.id, 1)
  const { size, etag } = await put(inFolder('analyze_report', reportKey), report)
  const [reported] = await db
    .insert(reportVersions)
    .values({
      ...of,
      version: 1,
      state: 'stored',
      path: reportKey,
      size,
      etag,
      scriptVersionId: scripts[0]?.id ?? null,
      levels: [['Evaluation', 1]],
    })
    .returning()
  await db
    .update(sessions)
    .set({
      ...{ videoId: video.id, scriptVersionId: scripts[1]?.id ?? null, reportVersionId: reported?.id ?? null },
      ...{
        lastScriptVersion: 4,
        lastReportVersion: 1,
        scriptStateId: 3,
        analyzeStateId: 1,
        encodingStateId: 1,
        videoLength: '00:00:01',
      },
    })
    .where(eq(sessions.id, session.id))
  await db.update(sessions).set({ encodingStateId: 2 }).where(eq(sessions.id, session.id))
  await db
    .update(sessions)
    .set({ encodingStateId: 3, renditionId: rendition?.id ?? null })
    .where(eq(sessions.id, session.id))
  return { caseId: owned.id, sessionId: session.id, videoId: video.id, original, encoded, report, path, made }
}

/** Inserts rows of a newer recording of a session, which plays from then on. */
export async function seedNewer(db: Database, sessionId: number) {
  const file = { sessionId, size: 1, etag: 'newer' }
  const [video] = await db
    .insert(videos)
    .values({ ...file, state: 'encoded', path: 'newer', container: 'mp4', storedAt: new Date() })
    .returning()
  if (!video) throw new Error('no video')
  const [rendition] = await db
    .insert(renditions)
    .values({ ...file, videoId: video.id, path: 'encoded_newer', durationMs: 1000, width: 160, height: 120 })
    .returning()
  const one = eq(sessions.id, sessionId)
  await db.update(sessions).set({ videoId: video.id, encodingStateId: 1 }).where(one)
  await db.update(sessions).set({ encodingStateId: 2 }).where(one)
  await db
    .update(sessions)
    .set({ encodingStateId: 3, renditionId: rendition?.id ?? null })
    .where(one)
}

/** Inserts an export of a case; returns its id. */
export async function seedExport(db: Database, caseId: number, wanted = { withoutMedia: false, pseudonyms: false }) {
  const [row] = await db
    .insert(caseExports)
    .values({ caseId, ...wanted })
    .returning({ id: caseExports.id })
  if (!row) throw new Error('no export')
  return row.id
}

/** The file of an export, as somebody else's programs read it: its files by name. */
export async function openExport(t: Teardown, store: ObjectStore, path: string | null | undefined) {
  const bytes = await buffer(await store.get(inFolder('export', path ?? '')))
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-export-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'export.zip')
  await writeFile(file, bytes)
  return { file, folder, ...(await unzipped(file, folder)) }
}

const program = `
import json, sys, zipfile, hashlib
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    z.extractall(sys.argv[2] + '/out')
    print(json.dumps([[i.filename, i.file_size, i.compress_type, hashlib.sha256(z.read(i)).hexdigest()] for i in z.infolist()]))
`

const run = promisify(execFile)

/**
 * Lets other programs test an archive: Info-ZIP, libarchive, which macOS uses, and 7-Zip, whose warnings are failures, too. The last two
 * only where they are installed, as they are in CI.
 */
export async function testByOthers(file: string): Promise<void> {
  await run('unzip', ['-tqq', file])
  if (!(await isMissing('bsdtar'))) await run('sh', ['-c', 'bsdtar -xOf "$0" > /dev/null', file])
  if (await isMissing('7zz')) return
  const { stdout } = await run('7zz', ['t', file])
  if (/warning|error/i.test(stdout)) throw new Error(stdout)
}

/** Reads an archive by Python and tests it by others. */
async function unzipped(file: string, folder: string) {
  await testByOthers(file)
  const { stdout } = await run('python3', ['-c', program, file, folder], { maxBuffer: 64 * 1024 ** 2 })
  const files: [name: string, size: number, compression: number, sha256: string][] = JSON.parse(stdout)
  return { files, names: files.map(([name]) => name) }
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
