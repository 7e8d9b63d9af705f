/** What `/metrics` of a worker says of the jobs that wait for a worker, beside those that run. */
import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createFileStore } from '@playtherapy/object-store'
import { outbox, scriptVersions, sessions } from '@playtherapy/schema'
import { ownProcess, queueBackends, seedSession, testDatabase, testQueue, until } from '@playtherapy/testing'
import { startProvider } from '@playtherapy/testing/provider'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'

t.jobs = queueBackends.length
for (const backend of queueBackends) {
  t.test(`on ${backend}, a job that runs does not wait, and one that is to be tried again does`, async (t) => {
    const { db, urls } = await testDatabase(t)
    const { url: queueUrl, prefix } = testQueue(t, backend, urls.worker)
    const folder = await mkdtemp(join(tmpdir(), 'playtherapy-waiting-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const store = createFileStore({ directory: join(folder, 'objects') })
    const held: ServerResponse[] = []
    const { analyser } = await startProvider(t, (response) => held.push(response))

    /** Announces the analysis of a new script so, as if it had been due for so long. */
    const announceOld = async (seconds: number) => {
      const { caseId, sessionId } = await seedSession(db, 7)
      const path = `LOCAL/${caseId}/${sessionId}/script_v1.json`
      const record = { start_time: '00:00:01', end_time: '00:00:02', speaker: 'C', text: 'a' }
      const body = Readable.from([Buffer.from(JSON.stringify({ scripts: [record] }))])
      const { size, etag } = await store.put(`script/${path}`, body, { contentType: 'application/json' })
      const row = { sessionId, version: 1, path, size, etag, userId: 7, state: 'stored' as const }
      const [script] = await db.insert(scriptVersions).values(row).returning()
      const scriptVersionId = script?.id ?? 0
      await db.update(sessions).set({ scriptVersionId, analyzeStateId: 1 }).where(eq(sessions.id, sessionId))
      await db.insert(outbox).values({
        name: 'analyse-script',
        payload: { script_version_id: scriptVersionId },
        availableAt: sql`now() - make_interval(secs => ${seconds})`,
      })
    }

    // As many as a worker runs at once.
    await announceOld(3_600)
    await announceOld(3_600)
    const worker = await ownProcess('worker', {
      DATABASE_URL: urls.worker,
      QUEUE_URL: queueUrl,
      QUEUE_PREFIX: prefix,
      FILE_STORE_DIRECTORY: join(folder, 'objects'),
      SCRATCH_DIRECTORY: join(folder, 'scratch'),
      ANALYSER_URL: analyser.url,
      ANALYSER_MODEL: analyser.model,
    })
    t.teardown(() => worker.kill('SIGKILL'))
    await worker.restart()
    const read = async () => {
      const text = await (await fetch(`${worker.url}/metrics`)).text()
      const value = (name: string) => Number(text.match(new RegExp(`^${name} (\\S+)$`, 'm'))?.[1])
      return {
        waiting: value('jobs_waiting_oldest_seconds\\{kind="analyse-script"\\}'),
        other: value('jobs_waiting_oldest_seconds\\{kind="encode-video"\\}'),
        open: value('jobs_oldest_seconds'),
      }
    }

    await until('both run', () => held.length === 2)
    // What is shown may be some seconds older than the start of the second one.
    await until('that none waits', async () => (await read()).waiting === 0)
    t.match(await read(), { waiting: 0, other: 0 })
    t.ok((await read()).open >= 3_600, 'though both are old')

    await announceOld(600)
    await until('that one waits', async () => (await read()).waiting > 0)
    const { waiting, other } = await read()
    t.ok(waiting >= 600 && waiting < 3_600, `${waiting} s, its own age and not that of those that run`)
    t.equal(other, 0, 'each kind has its own')

    // An answer after which the attempt does not ask again: the job pauses.
    held[0]?.writeHead(503, { 'retry-after': '3600' }).end('{}')
    await until('the third runs', () => held.length === 3)
    await until('that the first pauses', async () => (await read()).waiting === 0)
    await until('that it waits again', async () => (await read()).waiting > 0)
    t.ok((await read()).waiting < 600, 'since the end of its pause')
    t.equal(held.length, 3, 'there is no room for its second attempt')
  })
}
