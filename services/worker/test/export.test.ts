/** The job that writes the export of a case, in both stores: what is in the file, and what is left when it fails. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { exportPath, inFolder, type ObjectStore } from '@playtherapy/object-store'
import { caseExports, cases, type Database, sessions, videos } from '@playtherapy/schema'
import { storeBackends, type Teardown, testDatabase, testStore } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { createDeleteSuperseded } from '../src/encode/delete-superseded.ts'
import { createExportCase, createExportFailed } from '../src/export/export-case.ts'
import { forgetExports } from '../src/reconcile/forget-exports.ts'
import { sweepOrphans } from '../src/reconcile/orphans.ts'
import { openExport, seedCase, seedExport, seedNewer, sha256 } from './export-support.ts'

const signal = new AbortController().signal
const keepSeconds = 3_600

const jobOf = (db: Database, store: ObjectStore) => {
  const run = createExportCase({ db, store, phase: 'LOCAL', keepSeconds })
  return (export_id: number, by = signal) => run({ export_id }, { signal: by })
}

const only = async (db: Database) => (await db.select().from(caseExports))[0]

const keysIn = async (store: ObjectStore) => {
  const keys: string[] = []
  for await (const { key } of store.list('export/')) keys.push(key)
  for await (const { key } of store.unfinished('export/')) keys.push(key)
  return keys
}

async function prepare(t: Teardown, backend: (typeof storeBackends)[number], seed = {}) {
  const { db, as } = await testDatabase(t)
  const store = await testStore(t, backend)
  const seeded = await seedCase(db, store, seed)
  return { db, store, seeded, run: jobOf(as('worker'), store) }
}

for (const backend of storeBackends) {
  t.test(`${backend}: the file has all that is held of the case, and the hash of each file`, async (t) => {
    const { db, store, seeded, run } = await prepare(t, backend)
    const id = await seedExport(db, seeded.caseId)
    await run(id)
    const row = await only(db)
    t.match(row, { stateId: 3, progress: 100, missing: 0, failure: null, leaseUntil: null, attempt: 1 })
    const days = ((row?.expiresAt?.getTime() ?? 0) - Date.now()) / 1000
    t.ok(days > keepSeconds - 60 && days <= keepSeconds)
    const { files, names, folder } = await openExport(t, store, row?.path)
    const session = `sessions/${seeded.sessionId}/`
    t.strictSame(names, [
      'README.txt',
      'case.json',
      `${session}session.json`,
      ...[1, 3].flatMap((v) => ['json', 'vtt', 'txt'].map((kind) => `${session}scripts/script_v${v}.${kind}`)),
      `${session}reports/report_v1.json`,
      `${session}recordings/${seeded.videoId}-original.mp4`,
      `${session}recordings/${seeded.videoId}-rendition.mp4`,
      'audit.jsonl',
      'ro-crate-metadata.json',
      'manifest.json',
    ])
    t.ok(
      files.every(([, , compression]) => compression === 0),
      'nothing is compressed',
    )
    const read = (name: string) => readFile(join(folder, 'out', name))
    t.ok((await read(`${session}recordings/${seeded.videoId}-original.mp4`)).equals(seeded.original))
    t.ok((await read(`${session}recordings/${seeded.videoId}-rendition.mp4`)).equals(seeded.encoded))
    t.ok((await read(`${session}reports/report_v1.json`)).equals(seeded.report))
    t.match(String(await read(`${session}scripts/script_v3.vtt`)), /^WEBVTT\n\n00:00:00\.000 --> .*\n<v T>안녕 3<\/v>/)
    t.equal(String(await read(`${session}scripts/script_v3.txt`)), '[00:00:00] T: 안녕 3\n')
    t.match(String(await read(`${session}scripts/script_v3.json`)), /^\ufeff\{/, 'the bytes as they were saved')
    t.match(JSON.parse(String(await read('case.json'))), { given_name: '지우', family_name: '김' })
    t.match(
      String(await read('README.txt')),
      /사례[\s\S]*사본[\s\S]*Export of case[\s\S]*but for copies[\s\S]*still\npictures/,
    )

    const manifest = JSON.parse(String(await read('manifest.json')))
    t.match(manifest, { format: 'playtherapy-case', version: 1, case_id: seeded.caseId, missing: [] })
    t.strictSame(
      manifest.files,
      files.slice(0, -1).map(([path, size, , sha256]) => ({ path, size, sha256 })),
    )
    const crate = JSON.parse(String(await read('ro-crate-metadata.json')))
    const [descriptor, root, ...parts] = crate['@graph']
    t.match(descriptor, { '@id': 'ro-crate-metadata.json', about: { '@id': './' } })
    t.strictSame(
      parts.map((part: { '@id': string }) => part['@id']).toSorted(),
      names.filter((name) => name !== 'ro-crate-metadata.json').toSorted(),
    )
    t.equal(root.hasPart.length, parts.length)
    t.ok(manifest.files.some((file: { sha256: string }) => file.sha256 === sha256(seeded.original)))
    const events = String(await read('audit.jsonl'))
      .trim()
      .split('\n')
    t.ok(events.length > 3 && events.every((line) => JSON.parse(line).case_id === seeded.caseId))

    await run(id)
    t.equal((await only(db))?.attempt, 1, 'a second announcement changes nothing')
    await db.update(caseExports).set({ expiresAt: sql`now()` })
    t.equal(await forgetExports({ db, store }), 1)
    t.strictSame([await db.$count(caseExports), await keysIn(store)], [0, []], 'its time is over')
  })

  t.test(`${backend}: an attempt that was aborted leaves nothing, and the next one begins again`, async (t) => {
    const { db, store, seeded, run } = await prepare(t, backend)
    const id = await seedExport(db, seeded.caseId)
    const stop = new AbortController()
    const slow: ObjectStore = Object.assign(Object.create(store), {
      async get(...asked: Parameters<ObjectStore['get']>) {
        if (asked[0].endsWith('.mp4')) stop.abort(new Error('stopped'))
        return store.get(...asked)
      },
    })
    await t.rejects(jobOf(db, slow)(id, stop.signal))
    t.match(await only(db), { stateId: 2, leaseUntil: null, attempt: 1 })
    t.strictSame(await keysIn(store), [])
    await run(id)
    t.match(await only(db), { stateId: 3, attempt: 2 })
  })

  t.test(`${backend}: what a killed worker left is removed by the next attempt`, async (t) => {
    const { db, store, seeded, run } = await prepare(t, backend)
    const id = await seedExport(db, seeded.caseId)
    const dead = `LOCAL/${seeded.caseId}/${id}-${'0'.repeat(32)}-1.zip`
    await store.beginUpload(inFolder('export', dead))
    await store.put(inFolder('export', `LOCAL/${seeded.caseId}/1-${'a'.repeat(32)}-1.zip`), Buffer.from('x'), {
      contentType: 'a/b',
    })
    await db
      .update(caseExports)
      .set({ stateId: 2, attempt: 1, path: dead, leaseUntil: sql`now() + interval '1 minute'` })
    await t.rejects(run(id), { name: 'PostponedError' }, 'while its lease lasts')
    await db.update(caseExports).set({ leaseUntil: sql`now()` })
    await run(id)
    const row = await only(db)
    t.match(row, { stateId: 3, attempt: 2 })
    t.strictSame(await keysIn(store), [inFolder('export', row?.path ?? '')])
  })

  t.test(`${backend}: the sweep of orphans keeps the file of an export, and none without one`, async (t) => {
    const { db, store, seeded, run } = await prepare(t, backend)
    const id = await seedExport(db, seeded.caseId)
    const orphan = exportPath('LOCAL', seeded.caseId, id, 7)
    const unfinished = exportPath('LOCAL', seeded.caseId, id, 8)
    await run(id)
    await store.put(inFolder('export', orphan), Buffer.from('x'), { contentType: 'application/zip' })
    await store.beginUpload(inFolder('export', unfinished))
    const sweep = () => sweepOrphans({ db, store, phase: 'LOCAL' }, -60)
    t.equal(await sweep(), 2)
    t.strictSame(await keysIn(store), [inFolder('export', (await only(db))?.path ?? '')])
    await db.delete(caseExports)
    t.equal(await sweep(), 1)
    t.strictSame(await keysIn(store), [])
  })

  t.test(`${backend}: a case that is deleted meanwhile leaves no file`, async (t) => {
    const { db, store, seeded } = await prepare(t, backend)
    const id = await seedExport(db, seeded.caseId)
    const slow: ObjectStore = Object.assign(Object.create(store), {
      async get(...asked: Parameters<ObjectStore['get']>) {
        if (asked[0].startsWith('video/')) await db.delete(cases)
        return store.get(...asked)
      },
    })
    await jobOf(db, slow)(id)
    t.strictSame([await db.$count(caseExports), await keysIn(store)], [0, []])
  })

  t.test(`${backend}: an object that the store has lost is named, and all else is there`, async (t) => {
    const { db, store, seeded, run } = await prepare(t, backend)
    await store.delete([inFolder('video', seeded.path)])
    await run(await seedExport(db, seeded.caseId))
    const row = await only(db)
    t.match(row, { stateId: 3, missing: 1 })
    const { names, folder } = await openExport(t, store, row?.path)
    const lost = `sessions/${seeded.sessionId}/recordings/${seeded.videoId}-original.mp4`
    t.notOk(names.includes(lost))
    t.match(JSON.parse(String(await readFile(join(folder, 'out/manifest.json')))), { missing: [{ path: lost }] })
  })
}

const damages: [what: string, version: number, bytes: string][] = [
  ['is no JSON', 1, '{"scripts":['],
  ['has a record that is none', 1, '{"scripts":[null]}'],
  ['has another checksum', 3, '{"scripts":[]}'],
]
for (const [what, version, bytes] of damages) {
  t.test(`a stored script that ${what} is named, and all else is there`, async (t) => {
    const { db, store, seeded } = await prepare(t, 'file')
    const damaged: ObjectStore = Object.assign(Object.create(store), {
      async get(...asked: Parameters<ObjectStore['get']>) {
        return asked[0].includes(`script_v${version}`) ? Readable.from([Buffer.from(bytes)]) : store.get(...asked)
      },
    })
    for (const pseudonyms of [false, true]) {
      await jobOf(db, damaged)(await seedExport(db, seeded.caseId, { withoutMedia: true, pseudonyms }))
      const row = await only(db)
      t.match(row, { stateId: 3, missing: 1 })
      const { names, folder } = await openExport(t, store, row?.path)
      const scripts = `sessions/${seeded.sessionId}/scripts/`
      t.strictSame(
        names.filter((name) => name.startsWith(scripts)),
        ['json', 'vtt', 'txt'].map((kind) => `${scripts}script_v${version === 1 ? 3 : 1}.${kind}`),
      )
      const manifest = JSON.parse(String(await readFile(join(folder, 'out/manifest.json'))))
      t.strictSame(manifest.missing, [{ path: `${scripts}script_v${version}.json` }])
      await db.delete(caseExports)
    }
  })
}

for (const isRowLeft of [true, false]) {
  t.test(`a recording that is replaced meanwhile is not called lost, its row left: ${isRowLeft}`, async (t) => {
    const { db, store, seeded } = await prepare(t, 'file')
    const replace = createDeleteSuperseded({ db, store, phase: 'LOCAL' })
    let isReplaced = false
    const slow: ObjectStore = Object.assign(Object.create(store), {
      async get(...asked: Parameters<ObjectStore['get']>) {
        if (asked[0].startsWith('video/') && !isReplaced) {
          isReplaced = true
          await seedNewer(db, seeded.sessionId)
          if (isRowLeft) await store.delete([inFolder('video', seeded.path), inFolder('video', seeded.made)])
          else await replace({ session_id: seeded.sessionId })
        }
        return store.get(...asked)
      },
    })
    await jobOf(db, slow)(await seedExport(db, seeded.caseId))
    const row = await only(db)
    t.match(row, { stateId: 3, missing: 0 })
    t.equal(await db.$count(videos), isRowLeft ? 2 : 1)
    const { names, folder } = await openExport(t, store, row?.path)
    t.notOk(names.some((name) => name.includes('recordings/')))
    t.match(JSON.parse(String(await readFile(join(folder, 'out/manifest.json')))), { missing: [] })
  })
}

t.test('without media there is no recording', async (t) => {
  const { db, store, seeded, run } = await prepare(t, 'file')
  await run(await seedExport(db, seeded.caseId, { withoutMedia: true, pseudonyms: false }))
  const { names } = await openExport(t, store, (await only(db))?.path)
  t.strictSame(
    names.filter((name) => name.includes('recordings/')),
    [],
  )
  t.ok(names.includes(`sessions/${seeded.sessionId}/scripts/script_v3.vtt`))
})

t.test('pseudonyms replace names in whatever form they are typed, and the case stays as it is', async (t) => {
  const seed = {
    ...{
      givenName: '지우'.normalize('NFD'),
      familyName: '김',
      description: { guardian_name: 'Anna Lee', note: '지우는 김치' },
    },
    text: `${'김지우'.normalize('NFD')} 지우야 anna  lee 김밥`,
  }
  const { db, store, seeded, run } = await prepare(t, 'file', seed)
  await run(await seedExport(db, seeded.caseId, { withoutMedia: true, pseudonyms: true }))
  const { names, folder } = await openExport(t, store, (await only(db))?.path)
  for (const name of names) {
    const text = String(await readFile(join(folder, 'out', name))).normalize('NFC')
    t.notMatch(text, /지우|anna/i, name)
  }
  const read = async (name: string) => JSON.parse(String(await readFile(join(folder, 'out', name))))
  t.match(await read('case.json'), {
    ...{ given_name: 'CHILD-GIVEN', family_name: 'CHILD-FAMILY' },
    description: { guardian_name: 'PERSON-1', note: 'CHILD-GIVEN는 김치' },
  })
  const script = `sessions/${seeded.sessionId}/scripts/script_v1.json`
  t.match(await read(script), { scripts: [{ text: 'CHILD CHILD-GIVEN야 PERSON-1 김밥 1' }] })
  const list = await read('pseudonyms.json')
  t.match(list.codes, [{ code: 'CHILD' }, { code: 'CHILD-GIVEN' }, { code: 'PERSON-1' }])
  t.match(
    list.replaced.filter(({ path }: { path: string }) => path === script),
    [
      { code: 'CHILD', times: 1 },
      { code: 'CHILD-GIVEN', times: 1 },
      { code: 'PERSON-1', times: 1 },
    ],
  )
  t.match(list.not_replaced.join(' '), 'family_name by itself')
  t.match((await db.select().from(cases))[0], { givenName: seed.givenName })
  t.match((await db.select().from(sessions))[0], { name: /지우/u.test(seed.text) ? seed.text : String })
})

t.test('an export that is given up says why, and is not made of one that is done', async (t) => {
  const { db, seeded, run } = await prepare(t, 'file')
  const id = await seedExport(db, seeded.caseId)
  const failed = createExportFailed({ db, keepSeconds })
  t.equal(await failed({ export_id: id }, 'It broke.'), true)
  t.match(await only(db), { stateId: 4, failure: 'It broke.' })
  await run(id)
  t.match(await only(db), { stateId: 3, failure: null }, 'an operator repeats it')
  t.equal(await failed({ export_id: id }, 'It broke.'), false)
  await db.delete(caseExports).where(eq(caseExports.id, id))
  await run(id)
  t.equal(await failed({ export_id: id }, 'It broke.'), false)
})
