/** An export that is brought into another installation: a round trip, and what codes in place of names do to it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { inFolder } from '@playtherapy/object-store'
import { auditEvents, cases, outbox, scriptVersions, sessions, videos } from '@playtherapy/schema'
import { storeBackends } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { elsewhere, exported, held } from './import-support.ts'

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

t.test('the name of a file is stored as that of an upload is', async (t) => {
  const text = `\u001b]52;c;eA==\u0007${'가'.normalize('NFD').repeat(90)}`
  const from = await exported(t, 'file', { withoutMedia: false, pseudonyms: false }, { text })
  const to = await elsewhere(t)
  await to.bring(from.file)
  t.match(await to.db.select().from(videos), [{ fileName: `]52;c;eA==${'가'.repeat(90)}` }])
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

t.test('an export is imported also where codes are longer than the names that they replace', async (t) => {
  const [given, family] = ['Al', 'Bo']
  const note = `${given} `.repeat(100).trim()
  const description = { names: Array.from({ length: 1_400 }, (_, i) => i.toString(36)), notes: Array(30).fill(note) }
  const seed = { givenName: given, familyName: family, description, text: `${given} `.repeat(66).trim() }
  const from = await exported(t, 'file', { withoutMedia: false, pseudonyms: true }, seed)
  const to = await elsewhere(t)
  t.match(await to.bring(from.file), { sessions: 1, recordings: 1 })
  t.match(await to.db.select().from(sessions), [{ name: `${'* '.repeat(66)}1` }])
  const [owned] = await to.db.select().from(cases)
  t.match(owned, { givenName: 'CHILD-GIVEN', description: { notes: [note.replaceAll(given, '*')] } })
  const [video] = await to.db.select().from(videos)
  t.match(video?.fileName, /^(\* ){50}$/, 'all of a file has the same')
  const [script] = await to.db.select().from(scriptVersions)
  const bytes = await buffer(await to.store.get(inFolder('script', script?.path ?? '')))
  t.match(String(bytes), /CHILD-GIVEN CHILD-GIVEN/, 'and another file has codes')
  const list = JSON.parse(String(await readFile(join(from.folder, 'out/pseudonyms.json'))))
  t.strictSame(list.with_asterisks, ['case.json', `sessions/${from.seeded.sessionId}/session.json`])
  t.notMatch(JSON.stringify(list), /\bAl\b/)
})

t.test('a description that no code makes small enough is left out', async (t) => {
  const names = Array.from({ length: 200 }, (_, i) => `${String.fromCharCode(97 + (i % 26))}${Math.floor(i / 26)}`)
  const description = { names, of: Object.fromEntries(names.map((name) => [name, 1])), more: '' }
  description.more = 'x'.repeat(16 * 1024 - JSON.stringify(description).length)
  const from = await exported(t, 'file', { withoutMedia: true, pseudonyms: true }, { description })
  const to = await elsewhere(t)
  await to.bring(from.file)
  t.match(await to.db.select().from(cases), [{ givenName: 'CHILD-GIVEN', description: {} }])
  t.match(String(await readFile(join(from.folder, 'out/pseudonyms.json'))), 'The description is left out')
})
