import { hash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { PermanentError } from '@playtherapy/jobs'
import { createFileStore } from '@playtherapy/object-store'
import { cases, outbox, reportVersions, scriptVersions, sessions } from '@playtherapy/schema'
import { forkWorker, queueBackends, seedSession, testDatabase, testQueue, until } from '@playtherapy/testing'
import { failures, say, startProvider, status } from '@playtherapy/testing/provider'
import { reportSteps, saveVersion } from '@playtherapy/versions'
import { eq, sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { createAnalyseFailed, createAnalyseScript } from '../src/analyse/analyse-script.ts'
import { announceDue } from '../src/announce.ts'

const { signal } = new AbortController()
const interaction = { C1: '무서워요.', T1: '무섭구나.', TF: 'T', Description: '감정을 바로 읽었다.' }
const entry = { category: 'Emotion Reflection', descriptions: '좋다', level: 4, interactions: [interaction] }

const good = say(JSON.stringify({ reports: [entry] }))

const analysing = { transcribes: false, analyses: true }

/** The JSON of a script. */
function scriptOf(version: number): string {
  const record = { start_time: '00:00:01', end_time: '00:00:02', speaker: 'C', text: `말 ${version}`, note: 'private' }
  return JSON.stringify({ scripts: [record] })
}

/** A session with a stored script, `before` the JSON of which there may be a byte order mark, and what became of it. */
async function prepare(t: Test, before = '', checksum: string | null = null) {
  const database = await testDatabase(t)
  const { db } = database
  const objectsFolder = await mkdtemp(join(tmpdir(), 'playtherapy-analyse-'))
  t.teardown(() => rm(objectsFolder, { recursive: true, force: true }))
  const store = createFileStore({ directory: objectsFolder })
  const { caseId, sessionId } = await seedSession(db, 7)
  const save = async (version: number) => {
    const path = `LOCAL/${caseId}/${sessionId}/script_v${version}.json`
    const body = (async function* () {
      yield Buffer.from(before + scriptOf(version))
    })()
    const { size, etag } = await store.put(`script/${path}`, body, { contentType: 'application/json' })
    const row = { sessionId, version, path, size, etag, checksum, userId: 7, state: 'stored' as const }
    const [script] = await db.insert(scriptVersions).values(row).returning()
    await db.update(sessions).set({ scriptVersionId: script?.id ?? null, lastScriptVersion: version })
    return script?.id ?? 0
  }
  const scriptId = await save(1)
  const look = async () => {
    const [row] = await db.select().from(sessions)
    const reports = await db.select().from(reportVersions).orderBy(reportVersions.version)
    return { state: row?.analyzeStateId, reports }
  }
  const objects = async () => {
    const keys: string[] = []
    for await (const { key } of store.list('analyze_report/')) keys.push(key)
    return keys
  }
  return { database, db, store, objectsFolder, caseId, sessionId, scriptId, save, look, objects }
}

t.test('a report is made of the newest script, and names it', async (t) => {
  const { db, store, caseId, sessionId, scriptId, look, objects } = await prepare(t)
  const { analyser, asked, headers } = await startProvider(t, good)
  t.equal(await announceDue(db, analysing), 1)
  t.equal(await announceDue(db, analysing), 0, 'announced once')
  t.equal((await look()).state, 1)
  const job = createAnalyseScript({ db, store, phase: 'LOCAL', analyser })
  await job({ script_version_id: scriptId }, { signal })
  const { state, reports } = await look()
  t.equal(state, 3)
  t.match(reports, [{ version: 1, state: 'stored', scriptVersionId: scriptId, levels: [['Emotion Reflection', 4]] }])
  const [key = ''] = await objects()
  t.strictSame(JSON.parse(await text(await store.get(key))), { reports: { 'Emotion Reflection': entry } })
  t.equal(headers[0]?.authorization, 'Bearer a-key')
  t.match(asked[0], '말 1')
  t.notMatch(asked[0], 'private', 'no key that nobody asked for leaves')
  t.notMatch(asked[0], '민수')
  await job({ script_version_id: scriptId }, { signal })
  t.equal(asked.length, 1, 'a second announcement does nothing')
  const seen = await db.execute(sql`select kind, case_id, session_id, version from audit_events where action = 'read'`)
  t.same([...seen], [{ kind: 'script', case_id: caseId, session_id: sessionId, version: 1 }])
})

t.test('a script with a byte order mark, as programs on Windows write it, is analysed', async (t) => {
  const { db, store, scriptId, look } = await prepare(t, '\ufeff')
  const { analyser, asked } = await startProvider(t, good)
  await createAnalyseScript({ db, store, phase: 'LOCAL', analyser })({ script_version_id: scriptId }, { signal })
  t.match(asked[0], '말 1')
  t.equal((await look()).state, 3)
})

t.test('a stored script that is no JSON is not asked for again', async (t) => {
  const { db, store, scriptId } = await prepare(t, '{')
  const { analyser, asked } = await startProvider(t, good)
  const job = createAnalyseScript({ db, store, phase: 'LOCAL', analyser })
  await t.rejects(job({ script_version_id: scriptId }, { signal }), PermanentError)
  t.equal(asked.length, 0)
})

t.test('a script whose bytes are not those that were saved is not analysed', async (t) => {
  for (const [checksum, questions] of [
    ['0'.repeat(64), 0],
    [hash('sha256', scriptOf(1)), 1],
  ] as const) {
    const { db, store, scriptId } = await prepare(t, '', checksum)
    const { analyser, asked } = await startProvider(t, good)
    const done = createAnalyseScript({ db, store, phase: 'LOCAL', analyser })(
      { script_version_id: scriptId },
      { signal },
    )
    await (questions ? done : t.rejects(done, PermanentError))
    t.equal(asked.length, questions)
  }
})

t.test('429 and 5xx are asked again after the pause the server wants', async (t) => {
  const { db, store, scriptId, look } = await prepare(t)
  const { analyser, asked } = await startProvider(t, status(429, { 'retry-after': '1' }), status(500), good)
  await createAnalyseScript({ db, store, phase: 'LOCAL', analyser })({ script_version_id: scriptId }, { signal })
  t.equal(asked.length, 3)
  t.equal((await look()).state, 3)
})

t.test('a wrong answer is requested once more with the reason, then the job fails', async (t) => {
  const wrong = say(JSON.stringify({ reports: [{ ...entry, level: 'high' }] }))
  for (const [name, answer, fault] of [
    ['no JSON', say('Certainly!'), 'not JSON'],
    ['a wrong type', wrong, '/reports/0/level'],
    ['no completion', (response: ServerResponse) => response.end('[]'), 'no message'],
  ] as const) {
    const { db, store, scriptId, look, objects } = await prepare(t)
    const { analyser, asked } = await startProvider(t, answer)
    const job = createAnalyseScript({ db, store, phase: 'LOCAL', analyser })
    await t.rejects(job({ script_version_id: scriptId }, { signal }), PermanentError, name)
    t.equal(asked.length, 2)
    t.match(asked[1], fault)
    await createAnalyseFailed(db)({ script_version_id: scriptId })
    t.strictSame(await look(), { state: 4, reports: [] })
    t.strictSame(await objects(), [])
    const mended = await startProvider(t, answer, good)
    const again = createAnalyseScript({ db, store, phase: 'LOCAL', analyser: mended.analyser })
    await again({ script_version_id: scriptId }, { signal })
    t.equal((await look()).state, 3, 'a better second answer counts')
  }
})

t.test('an error that a retry cannot mend is permanent, and every other error is retried', async (t) => {
  for (const [name, answer, permanent] of failures) {
    const { db, store, scriptId, look, objects } = await prepare(t)
    const { analyser, asked } = await startProvider(t, answer)
    const job = createAnalyseScript({ db, store, phase: 'LOCAL', analyser: { ...analyser, timeoutMs: 2_000 } })
    const error = await job({ script_version_id: scriptId }, { signal }).catch((error: unknown) => error)
    t.ok(error instanceof Error, name)
    t.equal(error instanceof PermanentError, permanent, name)
    t.equal(asked.length, 1, name)
    t.strictSame(await look(), { state: 2, reports: [] }, name)
    t.strictSame(await objects(), [], name)
  }
})

t.test('a script saved meanwhile is due, a session deleted meanwhile leaves nothing', async (t) => {
  const { db, store, scriptId, save, caseId, look, objects } = await prepare(t)
  let newest = 0
  const saving = await startProvider(t, async (response, request) => {
    newest = await save(2)
    good(response, request)
  })
  const job = createAnalyseScript({ db, store, phase: 'LOCAL', analyser: saving.analyser })
  await job({ script_version_id: scriptId }, { signal })
  t.equal((await look()).state, 1, 'the report of the older script is stale')
  t.equal(await announceDue(db, analysing), 1)
  t.match(await db.select().from(outbox), [{ name: 'analyse-script', payload: { script_version_id: newest } }])
  const before = await objects()
  const deleting = await startProvider(t, async (response, request) => {
    await db.delete(cases).where(eq(cases.id, caseId))
    good(response, request)
  })
  const late = createAnalyseScript({ db, store, phase: 'LOCAL', analyser: deleting.analyser })
  await late({ script_version_id: newest }, { signal })
  t.strictSame(await objects(), before)
  t.strictSame((await look()).reports, [])
})

t.test('a report that is delivered meanwhile stays the current version', async (t) => {
  const { db, store, scriptId, caseId, sessionId, look, objects } = await prepare(t)
  const bytes = Buffer.from('{"reports":{}}')
  const provider = await startProvider(t, async (response, request) => {
    const delivered = { caseId, sessionId, size: bytes.length, levels: [], scriptVersionId: undefined }
    await saveVersion({ db, store }, bytes, reportSteps(db, 'LOCAL', delivered))
    good(response, request)
  })
  const job = createAnalyseScript({ db, store, phase: 'LOCAL', analyser: provider.analyser })
  await job({ script_version_id: scriptId }, { signal })
  const { state, reports } = await look()
  t.equal(state, 3)
  t.match(reports, [{ size: bytes.length, state: 'stored' }])
  t.equal(reports.length, 1)
  t.equal((await objects()).length, 1, 'of the other nothing is left')
})

t.test('without an analyser nothing waits', async (t) => {
  const { db, store, scriptId, look } = await prepare(t)
  await announceDue(db, analysing)
  await createAnalyseScript({ db, store, phase: 'LOCAL', analyser: undefined })(
    { script_version_id: scriptId },
    { signal },
  )
  t.equal((await look()).state, 5)
})

for (const backend of queueBackends) {
  t.test(`a worker with an analyser finds the script by itself, on ${backend}`, async (t) => {
    const { database, objectsFolder, scriptId, look } = await prepare(t)
    const { analyser } = await startProvider(t, good)
    const queue = testQueue(t, backend, database.urls.worker)
    forkWorker(t, {
      DATABASE_URL: database.urls.worker,
      QUEUE_URL: queue.url,
      QUEUE_PREFIX: queue.prefix,
      FILE_STORE_DIRECTORY: objectsFolder,
      ANALYSER_URL: analyser.url,
      ANALYSER_MODEL: analyser.model,
      ANALYSER_API_KEY: analyser.apiKey,
    })
    const { reports } = await until('the report', look, ({ state }) => state === 3 || state === 4)
    t.match(reports, [{ version: 1, state: 'stored', scriptVersionId: scriptId }])
  })
}
