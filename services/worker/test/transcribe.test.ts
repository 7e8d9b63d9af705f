import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { PermanentError } from '@playtherapy/jobs'
import { createFileStore } from '@playtherapy/object-store'
import {
  audioRenditions,
  cases,
  chunks,
  encodePlans,
  outbox,
  renditions,
  scriptVersions,
  sessions,
  videos,
} from '@playtherapy/schema'
import { seedSession, testDatabase } from '@playtherapy/testing'
import { type Answer, failures, startProvider, status } from '@playtherapy/testing/provider'
import { eq, sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { announceDue } from '../src/announce.ts'
import { claimChunk, commitChunk } from '../src/encode/chunk-repository.ts'
import { commitRendition } from '../src/encode/finish-repository.ts'
import { commitPlan } from '../src/encode/plan-repository.ts'
import { joinPieces, piecesOf } from '../src/transcribe/pieces.ts'
import { createTranscribeFailed, createTranscribeVideo } from '../src/transcribe/transcribe-video.ts'

const { signal } = new AbortController()
const folder = await mkdtemp(join(tmpdir(), 'playtherapy-transcribe-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

/** A recording's sound of so many seconds, as an encode leaves it. */
async function sound(seconds: number): Promise<string> {
  const file = join(folder, `${seconds}.m4a`)
  const source = ['-f', 'lavfi', '-i', `sine=frequency=300:duration=${seconds}:sample_rate=16000`]
  await promisify(execFile)('ffmpeg', ['-y', '-loglevel', 'error', ...source, '-ac', '1', '-b:a', '32k', file])
  return file
}
const short = await sound(4)

const segment = (start: number, end: number, said: string) => ({ start, end, text: ` ${said} ` })
const hear =
  (...segments: object[]): Answer =>
  (response) =>
    response.end(JSON.stringify({ task: 'transcribe', language: 'korean', text: 'all of it', segments }))

/** A session with an encoded video of this length, whose script is due. */
async function prepare(t: Test, seconds = 4, file = short, state: 'encoded' | 'encoding' = 'encoded') {
  const { db } = await testDatabase(t)
  const store = createFileStore({ directory: t.testdir() })
  const { caseId, sessionId } = await seedSession(db, 7)
  const path = `LOCAL/${caseId}/${sessionId}/audio_1-1.m4a`
  const stored = await store.put(`video/${path}`, createReadStream(file), { contentType: 'audio/mp4' })
  const described = { sessionId, container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
  const [video] = await db
    .insert(videos)
    .values({ ...described, state, path: 'v' })
    .returning()
  const videoId = video?.id ?? 0
  const seen = { sessionId, videoId, path: 'r', size: 5, etag: '"1"', durationMs: seconds * 1000, width: 2, height: 2 }
  const [rendition] = await db.insert(renditions).values(seen).returning()
  await db.insert(audioRenditions).values({ videoId, path, ...stored })
  await db.update(sessions).set({ renditionId: rendition?.id ?? null, scriptStateId: 1 })
  const settings = { scratchDirectory: join(folder, 'scratch'), stallSeconds: 20, ffmpegPath: 'ffmpeg' }
  const look = async () => {
    const [row] = await db.select().from(sessions)
    const scripts = await db.select().from(scriptVersions).orderBy(scriptVersions.version)
    return { state: row?.scriptStateId, scripts }
  }
  const objects = async () => {
    const keys: string[] = []
    for await (const { key } of store.list('script/')) keys.push(key)
    return keys
  }
  const script = async () => JSON.parse(await text(await store.get((await objects())[0] ?? '')))
  const resources = { db, store, phase: 'LOCAL', settings } as const
  return { db, store, resources, caseId, sessionId, videoId, look, objects, script }
}

t.test('a script is made of the sound, for the therapist to correct', async (t) => {
  const { db, resources, caseId, sessionId, videoId: video_id, look, script } = await prepare(t)
  const { transcriber, asked, headers } = await startProvider(
    t,
    hear(segment(0.25, 1.5, '뭐 할까?'), segment(1.5, 4, '집.')),
  )
  const job = createTranscribeVideo({ ...resources, transcriber })
  await job({ video_id }, { signal })
  t.match(await look(), { state: 3, scripts: [{ version: 1, state: 'stored', userId: 7, checksum: /^[0-9a-f]{64}$/ }] })
  t.strictSame(await script(), {
    scripts: [
      { start_time: '00:00:00.250', end_time: '00:00:01.500', speaker: '', text: '뭐 할까?' },
      { start_time: '00:00:01.500', end_time: '00:00:04.000', speaker: '', text: '집.' },
    ],
  })
  t.equal(headers[0]?.authorization, 'Bearer a-key')
  t.match(headers[0]?.['content-type'], 'multipart/form-data')
  for (const part of ['fLaC', 'name="model"\r\n\r\na-model', 'verbose_json', 'segment']) t.match(asked[0], part)
  t.notMatch(asked[0], '민수')
  await job({ video_id }, { signal })
  t.equal(asked.length, 1, 'a second announcement does nothing')
  const seen = await db.execute(sql`select kind, case_id, session_id, version from audit_events where action = 'read'`)
  t.same([...seen], [{ kind: 'video', case_id: caseId, session_id: sessionId, version: video_id }])
})

t.test('a long recording goes in pieces that overlap, and comes back as one', async (t) => {
  const { resources, videoId: video_id, script } = await prepare(t, 1_190, await sound(1_190))
  const { transcriber, asked } = await startProvider(
    t,
    hear(segment(0, 5, 'first'), segment(580, 590, 'before the seam'), segment(594, 600, 'cut of')),
    hear(segment(0, 5, 'the seam'), segment(9.1, 17, 'cut off by the end'), segment(590, 600, 'end of two')),
    hear(segment(0, 10, 'second half, in two'), segment(15, 20, 'last')),
  )
  await createTranscribeVideo({ ...resources, transcriber })({ video_id }, { signal })
  t.equal(asked.length, 3)
  const { scripts } = await script()
  t.strictSame(
    scripts.map(({ start_time, text }: { start_time: string; text: string }) => `${start_time} ${text}`),
    [
      '00:00:00.000 first',
      '00:09:40.000 before the seam',
      '00:09:54.100 cut off by the end',
      '00:19:30.000 second half, in two',
      '00:19:45.000 last',
    ],
  )
})

t.test('where the sound ends before the picture, a transcriber gets silence for the rest', async (t) => {
  const { resources, videoId: video_id } = await prepare(t, 700, await sound(10))
  const { transcriber, bodies } = await startProvider(t, hear())
  await createTranscribeVideo({ ...resources, transcriber })({ video_id }, { signal })
  // The number of samples is in bits 108 to 143 of a FLAC file's first block, which comes after 8 bytes (RFC 9639).
  const seconds = bodies.map((body) => body.readUIntBE(body.indexOf('fLaC') + 8 + 14, 4) / 16_000)
  t.strictSame(seconds, [600, 115])
})

t.test('pieces cover everything, and their seams lose and repeat nothing', async (t) => {
  t.strictSame(piecesOf(0.5), [{ from: 0, to: 0.5 }])
  t.strictSame(piecesOf(600), [{ from: 0, to: 600 }])
  t.strictSame(piecesOf(601).at(-1), { from: 585, to: 601 })
  t.equal(piecesOf(36_000).length, 62)
  // Somebody talks in sentences of all lengths; each piece hears its part, what it cuts is heard as cut.
  for (const length of [1.3, 4, 7.7, 14]) {
    const said = Array.from({ length: Math.floor(2_000 / length) }, (_, n) => ({
      start: n * length,
      end: (n + 1) * length,
    }))
    const heard = piecesOf(2_000).map((piece) => ({
      piece,
      segments: said
        .map(({ start, end }, n) => ({
          start: Math.max(start, piece.from),
          end: Math.min(end, piece.to),
          text: `${n}`,
        }))
        .filter(({ start, end }) => end - start > 0.01)
        .map(({ start, end, text }) => ({ start: start - piece.from, end: end - piece.from, text })),
    }))
    const numbers = joinPieces(heard).map(({ text }) => Number(text))
    t.strictSame(
      numbers,
      said.map((_, n) => n),
      `sentences of ${length} s`,
    )
  }
  const [one, two] = piecesOf(1_000)
  const monologue = { piece: one ?? { from: 0, to: 0 }, segments: [{ start: 500, end: 600, text: 'a' }] }
  const rest = { piece: two ?? { from: 0, to: 0 }, segments: [{ start: 0, end: 60, text: 'b' }] }
  t.strictSame(
    joinPieces([monologue, rest]).map(({ text }) => text),
    ['a', 'b'],
    'one that fills the overlap',
  )
  const odd = [
    { start: 9, end: 3, text: 'c' },
    { start: -5, end: -1, text: 'a' },
    { start: 2, end: 4, text: 'b' },
    { start: 90, end: 120, text: 'd' },
  ]
  t.strictSame(
    joinPieces([{ piece: { from: 0, to: 100 }, segments: odd }]),
    [
      { start: 0, end: 0, text: 'a' },
      { start: 2, end: 4, text: 'b' },
      { start: 9, end: 9, text: 'c' },
      { start: 90, end: 100, text: 'd' },
    ],
    'in order, within the sound, and none ends before it begins',
  )
  t.strictSame(
    joinPieces([
      { ...monologue, segments: [] },
      { ...rest, segments: [] },
    ]),
    [],
  )
})

t.test('silence makes an empty script, and 429 and 5xx are asked again', async (t) => {
  const { resources, videoId: video_id, look, script } = await prepare(t)
  const { transcriber, asked } = await startProvider(t, status(429, { 'retry-after': '1' }), status(500), hear())
  await createTranscribeVideo({ ...resources, transcriber })({ video_id }, { signal })
  t.equal(asked.length, 3)
  t.match(await look(), { state: 3, scripts: [{ version: 1 }] })
  t.strictSame(await script(), { scripts: [] })
})

t.test('an answer that is no transcription is asked for once more, then given up', async (t) => {
  const wrong: [string, Answer][] = [
    ['no JSON', (response) => response.end('Certainly!')],
    ['no segments', (response) => response.end('{"text":"all"}')],
    ['times that are none', hear({ start: '0', end: 1, text: 'a' })],
    ['a character that no script may have', hear(segment(0, 1, 'a\u0000b'))],
    ['times beyond any calendar', hear({ start: 0, end: 1e300, text: 'a' })],
  ]
  for (const [name, answer] of wrong) {
    const { db, resources, videoId: video_id, look, objects } = await prepare(t)
    const { transcriber, asked } = await startProvider(t, answer)
    const job = createTranscribeVideo({ ...resources, transcriber })
    await t.rejects(job({ video_id }, { signal }), PermanentError, name)
    t.equal(asked.length, 2)
    await createTranscribeFailed(db)({ video_id })
    t.strictSame(await look(), { state: 4, scripts: [] })
    t.strictSame(await objects(), [])
    const mended = await startProvider(t, answer, hear(segment(0, 1, 'a')))
    await createTranscribeVideo({ ...resources, transcriber: mended.transcriber })({ video_id }, { signal })
    t.equal((await look()).state, 3, 'a better second answer counts')
  }
})

t.test('an error that a retry cannot mend is permanent, and every other error is retried', async (t) => {
  for (const [name, answer, permanent] of failures) {
    const { resources, videoId: video_id, look, objects } = await prepare(t)
    const { transcriber, asked } = await startProvider(t, answer)
    const job = createTranscribeVideo({ ...resources, transcriber: { ...transcriber, timeoutMs: 2_000 } })
    const error = await job({ video_id }, { signal }).catch((error: unknown) => error)
    t.ok(error instanceof Error, name)
    t.equal(error instanceof PermanentError, permanent, name)
    t.equal(asked.length, 1, name)
    t.strictSame(await look(), { state: 2, scripts: [] }, name)
    t.strictSame(await objects(), [], name)
  }
})

t.test('a script saved meanwhile stays, a session deleted meanwhile leaves nothing', async (t) => {
  const written = await prepare(t)
  const { db, sessionId, caseId } = written
  const saving = await startProvider(t, async (response, request) => {
    const row = { sessionId, version: 1, path: 'mine', size: 2, etag: '"m"', userId: 7, state: 'stored' as const }
    const [script] = await db.insert(scriptVersions).values(row).returning()
    await db.update(sessions).set({ scriptVersionId: script?.id ?? null, lastScriptVersion: 1, scriptStateId: 3 })
    hear(segment(0, 1, 'mine?'))(response, request)
  })
  const job = createTranscribeVideo({ ...written.resources, transcriber: saving.transcriber })
  await job({ video_id: written.videoId }, { signal })
  t.match(await written.look(), { state: 3, scripts: [{ path: 'mine' }] })
  t.equal((await written.look()).scripts.length, 1)
  t.strictSame(await written.objects(), [])
  await createTranscribeFailed(db)({ video_id: written.videoId })
  t.equal((await written.look()).state, 3)
  await db.delete(cases).where(eq(cases.id, caseId))

  const deleted = await prepare(t)
  const deleting = await startProvider(t, async (response, request) => {
    await deleted.db.delete(cases).where(eq(cases.id, deleted.caseId))
    hear(segment(0, 1, 'a'))(response, request)
  })
  const late = createTranscribeVideo({ ...deleted.resources, transcriber: deleting.transcriber })
  await late({ video_id: deleted.videoId }, { signal })
  t.strictSame(await deleted.objects(), [])
})

t.test('a newer recording ends the making of a script of an older one', async (t) => {
  for (const audible of [true, false]) {
    const { db, resources, sessionId, videoId, look, objects } = await prepare(t)
    const replace = async () => {
      const file = { path: 'newer', container: 'mp4', size: 5, etag: '"2"', attempt: 1 } as const
      const [newer] = await db
        .insert(videos)
        .values({ ...file, sessionId, state: 'encoding', storedAt: new Date() })
        .returning()
      const claim = { videoId: newer?.id ?? 0, sessionId, attempt: 1, original: file, isEncoded: false }
      await db.update(sessions).set({ videoId: claim.videoId, encodingStateId: 1 })
      await db.update(sessions).set({ encodingStateId: 2 })
      const chunk = { kind: audible ? ('sound' as const) : ('copy' as const), index: 0, fromSeconds: 0, toSeconds: 4 }
      t.ok(await commitPlan(db, claim, { plan: {}, seconds: 4, targetSeconds: 6, chunks: [chunk], copiesHere: true }))
      const [row] = await db.select({ id: chunks.id }).from(chunks).where(eq(chunks.videoId, claim.videoId))
      const taken = await claimChunk(db, claim.videoId, row?.id ?? 0)
      const audio = { path: 'newer sound', size: 5, etag: '"a"' }
      if (taken) await commitChunk(db, taken, { files: [], frames: 1, ...(audible && { audio }) })
      const rendition = { path: 'newer picture', size: 5, etag: '"r"', seconds: 4, width: 2, height: 2 }
      t.ok(await commitRendition(db, claim, rendition))
    }
    const { transcriber } = await startProvider(t, async (response, request) => {
      await replace()
      hear(segment(0, 1, 'of the older'))(response, request)
    })
    await createTranscribeVideo({ ...resources, transcriber })({ video_id: videoId }, { signal })
    await announceDue(db, { transcribes: true, analyses: false })
    t.strictSame(await look(), { state: audible ? 1 : 5, scripts: [] }, `audible: ${audible}`)
    t.strictSame(await objects(), [])
  }
})

t.test('a transcript is announced for what is encoded while there is a transcriber, and only once', async (t) => {
  const { db, videoId, sessionId, look } = await prepare(t)
  const encode = async () => {
    await db.update(audioRenditions).set({ isFresh: true })
    await db.update(sessions).set({ scriptStateId: 5 })
  }
  const announceTranscripts = (transcribes: boolean) => announceDue(db, { transcribes, analyses: false })
  await encode()
  t.equal(await announceTranscripts(false), 0)
  t.equal(await announceTranscripts(true), 0, 'not what was encoded before')
  t.equal((await look()).state, 5)
  await encode()
  t.equal(await announceTranscripts(true), 1)
  t.equal(await announceTranscripts(true), 0)
  t.equal((await look()).state, 1)
  t.match(await db.select().from(outbox), [{ name: 'transcribe-video', payload: { video_id: videoId } }])
  await encode()
  const row = { sessionId, version: 1, path: 'mine', size: 2, etag: '"m"', userId: 7, state: 'stored' as const }
  const [script] = await db.insert(scriptVersions).values(row).returning()
  await db.update(sessions).set({ scriptVersionId: script?.id ?? null, lastScriptVersion: 1, scriptStateId: 3 })
  t.equal(await announceTranscripts(true), 0, 'not for a session with a script')
  t.equal((await look()).state, 3)
})

t.test('without a transcriber nothing waits', async (t) => {
  const { resources, videoId: video_id, look } = await prepare(t)
  await createTranscribeVideo({ ...resources, transcriber: undefined })({ video_id }, { signal })
  t.strictSame(await look(), { state: 5, scripts: [] })
})

/** A recording whose picture is still being encoded, and its sound, of which the announcer does not know yet. */
async function heardOnly(t: Test) {
  const place = await prepare(t, 4, short, 'encoding')
  const { db, videoId, sessionId, caseId, store } = place
  await db.update(sessions).set({ renditionId: null, scriptStateId: 5, videoId, encodingStateId: 1 })
  await db.delete(renditions)
  await db.update(sessions).set({ encodingStateId: 2 })
  await db.insert(encodePlans).values({ videoId, plan: {}, seconds: 4, targetSeconds: 4 })
  await db.update(audioRenditions).set({ isFresh: true })
  const announced = async () => {
    await announceDue(db, { transcribes: true, analyses: false })
    const jobs = await db.select().from(outbox).where(eq(outbox.name, 'transcribe-video')).orderBy(outbox.id)
    return jobs.map(({ payload }) => payload)
  }
  /** A newer recording, with a sound where its encode is planned. */
  const replace = async (isPlanned: boolean) => {
    const row = { sessionId, container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
    const [newer] = await db
      .insert(videos)
      .values({ ...row, state: isPlanned ? 'encoding' : 'stored', path: 'newer' })
      .returning()
    const newerId = newer?.id ?? 0
    await db.update(sessions).set({ videoId: newerId, encodingStateId: 1 })
    if (!isPlanned) return newerId
    await db.insert(encodePlans).values({ videoId: newerId, plan: {}, seconds: 4, targetSeconds: 4 })
    const path = `LOCAL/${caseId}/${sessionId}/audio_${newerId}-1.m4a`
    const stored = await store.put(`video/${path}`, createReadStream(short), { contentType: 'audio/mp4' })
    await db.insert(audioRenditions).values({ videoId: newerId, path, ...stored, isFresh: true })
    return newerId
  }
  return { ...place, announced, replace }
}

t.test('a script is made as soon as the sound is encoded, while the picture is not', async (t) => {
  const { resources, videoId: video_id, look, script, announced } = await heardOnly(t)
  t.strictSame(await announced(), [{ video_id }])
  t.match(await look(), { state: 1 })
  const { transcriber, asked } = await startProvider(t, hear(segment(0, 4, 'early')))
  await createTranscribeVideo({ ...resources, transcriber })({ video_id }, { signal })
  t.equal(asked.length, 1)
  t.match(await look(), { state: 3, scripts: [{ version: 1, madeBy: 'transcriber' }] })
  t.match(await script(), { scripts: [{ text: 'early', end_time: '00:00:04.000' }] })
  t.strictSame(await announced(), [{ video_id }], 'and once')
})

t.test('a newer recording whose encode is planned has its own sound transcribed', async (t) => {
  const { resources, videoId: video_id, look, announced, replace } = await heardOnly(t)
  const newer = await replace(true)
  t.strictSame(await announced(), [{ video_id: newer }], 'the older sound is not')
  const { transcriber, asked } = await startProvider(t, hear(segment(0, 4, 'newer')))
  const job = createTranscribeVideo({ ...resources, transcriber })
  await job({ video_id }, { signal })
  t.equal(asked.length, 0, 'nor where its job was announced before')
  t.match(await look(), { state: 1, scripts: [] })
  await job({ video_id: newer }, { signal })
  t.match(await look(), { state: 3, scripts: [{ version: 1 }] })
})

t.test('the sound of a recording that was given up is not transcribed, unless its encode goes on', async (t) => {
  const { db, videoId, announced } = await heardOnly(t)
  await db.update(videos).set({ state: 'failed', failure: 'x' })
  t.strictSame(await announced(), [])
  await db.update(videos).set({ state: 'stored', failure: null })
  await db.update(videos).set({ state: 'encoding' })
  t.strictSame(await announced(), [{ video_id: videoId }])
})

t.test('while a newer recording waits to be planned, the one that plays is still transcribed', async (t) => {
  const { db, resources, videoId: video_id, look, announced, replace, sessionId } = await heardOnly(t)
  const seen = { sessionId, videoId: video_id, path: 'r', size: 5, etag: '"1"', durationMs: 4_000, width: 2, height: 2 }
  const [rendition] = await db.insert(renditions).values(seen).returning()
  await db.update(videos).set({ state: 'encoded' })
  await db.update(sessions).set({ renditionId: rendition?.id ?? null, encodingStateId: 3 })
  await replace(false)
  t.strictSame(await announced(), [{ video_id }])
  const { transcriber } = await startProvider(t, hear(segment(0, 4, 'older')))
  await createTranscribeVideo({ ...resources, transcriber })({ video_id }, { signal })
  t.match(await look(), { state: 3, scripts: [{ version: 1 }] })
})
