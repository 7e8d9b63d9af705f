/** An export that is brought into another installation: a round trip, and files that are refused. */
import { execFile } from 'node:child_process'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import {
  auditEvents,
  caseExports,
  cases,
  type Database,
  outbox,
  renditions,
  reportVersions,
  scriptVersions,
  sessions,
  tryLock,
  videos,
} from '@playtherapy/schema'
import { storeBackends, type Teardown, testDatabase, testStore } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { createExportCase } from '../src/export/export-case.ts'
import { openArchive } from '../src/import/archive.ts'
import { importCase } from '../src/import/import-case.ts'
import { sweepOrphansAlone } from '../src/reconcile/orphans.ts'
import { openExport, seedCase, seedExport } from './export-support.ts'

const signal = new AbortController().signal

/** All that an installation holds, with ids of rows replaced by what they point to, and objects by their bytes. */
async function held(db: Database, store: ObjectStore) {
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

async function exported(
  t: Teardown,
  backend: (typeof storeBackends)[number] = 'file',
  wanted = { withoutMedia: false, pseudonyms: false },
  seed = {},
) {
  const { db } = await testDatabase(t)
  const store = await testStore(t, backend)
  const seeded = await seedCase(db, store, seed)
  await createExportCase({ db, store, phase: 'LOCAL', keepSeconds: 60 })(
    { export_id: await seedExport(db, seeded.caseId, wanted) },
    { signal },
  )
  const [row] = await db.select().from(caseExports)
  return { db, store, seeded, ...(await openExport(t, store, row?.path)) }
}

async function elsewhere(t: Teardown, backend: (typeof storeBackends)[number] = 'file') {
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
const nothing = { keys: [], cases: 0, outbox: 0 }

for (const backend of storeBackends) {
  t.test(`${backend}: a round trip loses nothing`, async (t) => {
    const from = await exported(t, backend)
    const to = await elsewhere(t, backend)
    const made = await to.bring(from.file)
    t.match(made, { sessions: 1, recordings: 1 })
    t.not(made.caseId, from.seeded.caseId)
    t.strictSame(await held(to.db, to.store), await held(from.db, from.store))
    const [owned] = await to.db.select().from(cases)
    t.equal(owned?.userId, 12)
    const jobs = await to.db.select({ name: outbox.name }).from(outbox)
    t.strictSame(jobs, [{ name: 'encode-video' }], 'what is not in the file is made again')
    const events = await to.db.select().from(auditEvents).where(eq(auditEvents.caseId, made.caseId))
    t.strictSame(
      events
        .flatMap(({ action, kind, version }) => (action === 'create' ? [`${kind} ${version ?? ''}`] : []))
        .toSorted(),
      ['case ', 'report 1', 'script 1', 'script 3', 'session ', `video ${(await to.db.select().from(videos))[0]?.id}`],
    )
    t.match(await to.bring(from.file), { sessions: 1 }, 'a second import makes a second case')
  })
}

t.test('an export without media brings scripts and reports', async (t) => {
  const from = await exported(t, 'file', { withoutMedia: true, pseudonyms: true })
  const to = await elsewhere(t)
  t.match(await to.bring(from.file), { sessions: 1, recordings: 0 })
  t.match(await to.db.select().from(sessions), [{ encodingStateId: 5, scriptStateId: 3, videoId: null }])
  t.match(await to.db.select().from(cases), [{ givenName: 'CHILD-GIVEN' }])
})

t.test('an export whose names are words of its format is imported', async (t) => {
  const words = [
    'text',
    'speaker',
    'id',
    'scripts',
    'mp4',
    'stored',
    'encoded',
    'session',
    'odd',
    'Evaluation',
    '00:00',
  ]
  const description = { names: words, text: 1, mp4: 2, note: 'stored by Evaluation' }
  const from = await exported(t, 'file', { withoutMedia: false, pseudonyms: true }, { description, text: 'mp4 id' })
  const to = await elsewhere(t)
  t.match(await to.bring(from.file), { sessions: 1, recordings: 1 })
  t.match(await to.db.select().from(cases), [{ description: { note: 'PERSON-6 by PERSON-10', 'PERSON-1': 1 } }])
  t.match(await to.db.select().from(sessions), [{ name: 'PERSON-5 PERSON-3 1' }])
  t.match(await to.db.select().from(videos), [{ fileName: 'PERSON-5 PERSON-3.PERSON-5', state: 'encoded' }])
  const [script] = await to.db.select().from(scriptVersions)
  const record = { start_time: '00:00:00', end_time: '00:00:01', speaker: 'T', text: 'PERSON-5 PERSON-3 1' }
  const bytes = await buffer(await to.store.get(inFolder('script', script?.path ?? '')))
  t.strictSame(JSON.parse(String(bytes)), { scripts: [record] })
})

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

/** Copies an archive by Python, which lets a line of code change it. */
const program = `
import sys, json, zipfile, hashlib
source, target, change = sys.argv[1:4]
files = {}
with zipfile.ZipFile(source) as z:
    for i in z.infolist(): files[i.filename] = z.read(i)
kind = zipfile.ZIP_STORED
twice = []
def manifest(edit):
    m = json.loads(files['manifest.json']); edit(m); files['manifest.json'] = json.dumps(m).encode()
def edit(name, change):
    d = json.loads(files[name]); change(d); put(name, json.dumps(d))
def put(name, text):
    files[name] = text.encode(); manifest(lambda m: m.update(files=[f for f in m['files'] if f['path'] != name])); listed(name)
def listed(name):
    manifest(lambda m: m['files'].append({'path': name, 'size': len(files[name]), 'sha256': hashlib.sha256(files[name]).hexdigest()}))
exec(change)
with zipfile.ZipFile(target, 'w', kind) as z:
    for name, data in files.items(): z.writestr(zipfile.ZipInfo(name) if kind == zipfile.ZIP_STORED else name, data)
    for name, data in twice: z.writestr(zipfile.ZipInfo(name), data)
`

t.test('files that are not as they were exported are refused, and nothing is left', async (t) => {
  const from = await exported(t)
  const to = await elsewhere(t)
  const script = `sessions/${from.seeded.sessionId}/scripts/script_v1.json`
  const session = `sessions/${from.seeded.sessionId}/session.json`
  const report = `sessions/${from.seeded.sessionId}/reports/report_v1.json`
  const changes: Record<string, [change: string, refusal: RegExp]> = {
    'packed again': ['kind = zipfile.ZIP_DEFLATED', /packed again/],
    'a bomb': ['kind = zipfile.ZIP_DEFLATED; files["case.json"] = b"0" * 50_000_000; ', /packed again/],
    'a changed script': [`files['${script}'] = files['${script}'].replace(b'T', b'C')`, /script_v1\.json was changed/],
    'changed captions, which are not imported': [
      `n = '${script}'.replace('json', 'vtt'); files[n] = files[n].replace(b'T', b'V')`,
      /vtt was changed/,
    ],
    'another size': [`files['${script}'] += b' '`, /another size/],
    'a missing file': [`del files['${script}']`, /other files than its manifest/],
    'a file more': ["files['audit.jsonl2'] = b''", /a name in it that no export has/],
    'a way out': ["files['../../etc/passwd'] = b'x'; listed('../../etc/passwd')", /damaged|no export has/],
    'an absolute name': ["files['/etc/passwd'] = b'x'; listed('/etc/passwd')", /damaged|no export has/],
    'a name of Windows': ["files['C:\\\\x'] = b'x'; listed('C:\\\\x')", /damaged|no export has/],
    'a name twice': ["twice = [('case.json', files['case.json'])]", /a name twice/],
    'a newer version': ['manifest(lambda m: m.update(version=2))', /newer release/],
    'another format': ["manifest(lambda m: m.update(format='other'))", /manifest\.json is not as an export has it/],
    'no manifest': ["del files['manifest.json']", /manifest\.json is missing/],
    'no JSON': ["files['manifest.json'] = b'{'", /no JSON/],
    'another document': [
      `d = json.loads(files['${session}']); d['encoding_state_id'] = 9; files['${session}'] = json.dumps(d).encode(); manifest(lambda m: m.update(files=[f for f in m['files'] if f['path'] != '${session}'])); listed('${session}')`,
      /session\.json is not as an export has it/,
    ],
    'a name of 201 characters': ["edit('case.json', lambda d: d.update(family_name='x' * 201))", /a name of more than/],
    'a session with such a name': [`edit('${session}', lambda d: d.update(name='x' * 201))`, /a name of more than/],
    'a large description': [
      "edit('case.json', lambda d: d.update(description={'a': 'x' * 16_400}))",
      /description has/,
    ],
    'a large script': [`put('${script}', '{"scripts":[]}' + ' ' * 20 * 1024 ** 2)`, /script_v1\.json is too large/],
    'a record that is none': [`put('${script}', '{"scripts":[null]}')`, /script_v1\.json is not as/],
    'a script for a prototype': [
      `put('${script}', '{"scripts":[],"__proto__":{}}')`,
      /script_v1\.json is no JSON that/,
    ],
    'a large report': [`put('${report}', '{"reports":{}}' + ' ' * 5 * 1024 ** 2)`, /report_v1\.json is too large/],
    'another report': [`put('${report}', '{"reports":{"a":{}}}')`, /report_v1\.json is not as/],
    'a last version before the first': [
      `edit('${session}', lambda d: d.update(last_script_version=0))`,
      /after its last/,
    ],
    'a last version without another': [
      `edit('${session}', lambda d: d.update(last_script_version=2147483647))`,
      /is not as an/,
    ],
    'a version twice': [`edit('${session}', lambda d: d['scripts'].append(d['scripts'][0]))`, /version twice/],
    'a hash of another file': [
      `manifest(lambda m: [f.update(sha256='0' * 64) for f in m['files'] if f['path'] == '${script}'])`,
      /script_v1\.json was changed/,
    ],
  }
  for (const [what, [change, refusal]] of Object.entries(changes)) {
    const file = join(from.folder, 'changed.zip')
    await promisify(execFile)('python3', ['-W', 'ignore', '-c', program, from.file, file, change])
    await t.rejects(to.bring(file), { name: 'ImportError', message: refusal }, what)
    t.strictSame(await to.left(), nothing, what)
  }

  const bytes = await readFile(from.file)
  const damaged = join(from.folder, 'damaged.zip')
  for (const at of [bytes.indexOf('original'), bytes.indexOf('encoded', bytes.indexOf('originalorig'))]) {
    const copy = Buffer.from(bytes)
    copy[at + 5_000] = (copy[at + 5_000] ?? 0) ^ 1
    await writeFile(damaged, copy)
    await t.rejects(to.bring(damaged), { name: 'ImportError' }, 'a bit of a recording')
    t.strictSame(await to.left(), nothing)
  }
  for (const length of [0, 10, bytes.length / 2, bytes.length - 1]) {
    await writeFile(damaged, bytes)
    await truncate(damaged, Math.floor(length))
    await t.rejects(to.bring(damaged), { name: 'ImportError', message: /damaged or cut off/ }, `cut off at ${length}`)
  }
  await t.rejects(to.bring(join(from.folder, 'none.zip')), { name: 'ImportError', message: /cannot be read/ })
  t.strictSame(await to.left(), nothing)
})
