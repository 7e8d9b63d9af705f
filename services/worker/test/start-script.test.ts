import { text } from 'node:stream/consumers'
import { createFileStore } from '@playtherapy/object-store'
import { audioRenditions, cases, outbox, renditions, scriptVersions, sessions, videos } from '@playtherapy/schema'
import { loadConfig } from '@playtherapy/service-kit'
import { seedSession, testDatabase } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { announceDue } from '../src/announce.ts'
import { providerFrom, WorkerConfig } from '../src/config.ts'
import { createStartScript } from '../src/transcribe/start-script.ts'

/** A session that plays an encoded video, with or without sound, and has no script. */
async function prepare(t: Test, { audible = true } = {}) {
  const { db } = await testDatabase(t)
  const store = createFileStore({ directory: t.testdir() })
  const { caseId, sessionId } = await seedSession(db, 7)
  const file = { sessionId, path: 'v', size: 5, etag: '"1"' }
  const [video] = await db
    .insert(videos)
    .values({ ...file, container: 'mp4', storedAt: new Date(), state: 'encoded' })
    .returning()
  const video_id = video?.id ?? 0
  const [rendition] = await db
    .insert(renditions)
    .values({ ...file, videoId: video_id, durationMs: 4_000, width: 2, height: 2 })
    .returning()
  if (audible)
    await db.insert(audioRenditions).values({ videoId: video_id, path: 'a', size: 5, etag: '"2"', isFresh: true })
  await db.update(sessions).set({ renditionId: rendition?.id ?? null })
  const look = async () => {
    const [row] = await db.select().from(sessions)
    const scripts = await db.select().from(scriptVersions).orderBy(scriptVersions.version)
    return { script: row?.scriptStateId, analyze: row?.analyzeStateId, scripts }
  }
  const objects = async () => {
    const keys: string[] = []
    for await (const { key } of store.list('script/')) keys.push(key)
    return keys
  }
  const start = createStartScript({ db, store, phase: 'LOCAL', transcribes: false })
  const transcribing = createStartScript({ db, store, phase: 'LOCAL', transcribes: true })
  return { db, store, caseId, sessionId, video_id, look, objects, start, transcribing }
}

t.test('an encode is followed by an empty first version, once', async (t) => {
  const { store, video_id, look, objects, start } = await prepare(t)
  await start({ video_id })
  await start({ video_id })
  const found = await look()
  t.match(found, { script: 3, scripts: [{ version: 1, state: 'stored', userId: 7, madeBy: 'starter' }] })
  t.equal(found.scripts.length, 1)
  t.equal(await text(await store.get((await objects())[0] ?? '')), '{"scripts":[]}')
})

t.test('where a transcriber writes the script there is none, but for a recording without sound', async (t) => {
  const talked = await prepare(t)
  await talked.transcribing({ video_id: talked.video_id })
  t.match(await talked.look(), { script: 5, scripts: [] })
  const mute = await prepare(t, { audible: false })
  await mute.transcribing({ video_id: mute.video_id })
  t.match(await mute.look(), { script: 3, scripts: [{ madeBy: 'starter' }] })
})

t.test('a script that a person saved stays, and a deleted session gets nothing', async (t) => {
  const { db, caseId, sessionId, video_id, look, objects, start } = await prepare(t)
  const row = { sessionId, version: 1, path: 'mine', size: 2, etag: '"m"', userId: 7, state: 'stored' as const }
  const [script] = await db.insert(scriptVersions).values(row).returning()
  await db.update(sessions).set({ scriptVersionId: script?.id ?? null, lastScriptVersion: 1, scriptStateId: 3 })
  await start({ video_id })
  t.match(await look(), { script: 3, scripts: [{ path: 'mine', madeBy: null }] })
  await db.delete(cases).where(eq(cases.id, caseId))
  await start({ video_id })
  t.strictSame(await objects(), [])
})

t.test('an analyser is not asked about an empty first version', async (t) => {
  const { db, video_id, look, start } = await prepare(t)
  await start({ video_id })
  t.equal(await announceDue(db, { transcribes: false, analyses: true }), 0)
  t.match(await look(), { analyze: 5 })
  t.strictSame(await db.select().from(outbox), [])
})

t.test('half a transcriber is refused', async (t) => {
  const config = { TRANSCRIBER_URL: 'http://ears/v1', TRANSCRIBER_MODEL: 'ears', TRANSCRIBER_API_KEY: 'key' }
  const from = (given: Partial<typeof config>) => () =>
    providerFrom(
      loadConfig(WorkerConfig, { DATABASE_URL: 'postgres://d', QUEUE_URL: 'postgres://d', ...given }),
      'transcriber',
    )
  t.match(from(config)(), { url: 'http://ears/v1', model: 'ears', apiKey: 'key' })
  t.equal(from({})(), undefined)
  t.throws(from({ TRANSCRIBER_URL: config.TRANSCRIBER_URL }), /TRANSCRIBER_MODEL is required with TRANSCRIBER_URL/)
  t.throws(from({ TRANSCRIBER_MODEL: 'ears' }), /TRANSCRIBER_URL is required with TRANSCRIBER_MODEL/)
  t.throws(from({ TRANSCRIBER_API_KEY: 'key' }), /TRANSCRIBER_URL is required with TRANSCRIBER_API_KEY/)
})
