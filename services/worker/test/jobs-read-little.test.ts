/** What a job or an operator's command does for one session must not get slower with the number of others. */
import { openDatabase, outbox, retry } from '@playtherapy/schema'
import { fillSessions, testDatabase, until, wholeReads } from '@playtherapy/testing'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { claimAnalysis, endAnalysis } from '../src/analyse/repository.ts'
import { forgetTraces } from '../src/erase/traces.ts'
import { claimTranscript, endTranscript, sessionToStart } from '../src/transcribe/repository.ts'
import { endGivenUp } from '../src/webhook/repository.ts'

t.test('no statement about one session reads a whole table', async (t) => {
  const { db, url, urls } = await testDatabase(t)
  await fillSessions(url)
  await db.execute(sql`update sessions set script_version_id = null, script_state_id = 5 where id in (4, 5)`)
  const ofWebhooks = (caseId: number) =>
    db.$count(outbox, sql`name = 'send-webhook' and failed_at is not null and (payload ->> 'case_id')::int = ${caseId}`)
  const [letter] = await db
    .select({ id: outbox.id })
    .from(outbox)
    .where(sql`name = 'encode-video' and payload ->> 'video_id' = '20'`)
  const { db: worker, close } = openDatabase({ url: urls.worker, max: 1, applicationName: 'measured' })
  const { db: contents, close: closeToo } = openDatabase({ url: urls.contents, max: 1, applicationName: 'measured' })

  t.match(await claimAnalysis(worker, 2), { sessionId: 2, caseId: 2 })
  t.ok(await endAnalysis(worker, 2, 'failed'))
  t.equal(await claimAnalysis(worker, 3), undefined, 'it has a report')
  t.match(await sessionToStart(worker, 4, false), { sessionId: 4, caseId: 4 })
  t.match(await claimTranscript(worker, 5), { sessionId: 5, caseId: 5 })
  t.ok(await endTranscript(worker, 5, 'failed'))
  t.ok(await retry(contents, letter?.id ?? 0))
  await endGivenUp(worker, { user_id: 1, case_id: 9, session_id: 9 }, 'down')
  t.equal(await ofWebhooks(9), 1, 'one dead letter has taken the place of the other')
  await worker.transaction((tx) => forgetTraces(tx, { caseId: 6, sessionId: null, videoId: null }))
  t.equal(await ofWebhooks(6), 0)
  await worker.transaction((tx) => forgetTraces(tx, { caseId: 7, sessionId: 7, videoId: null }))
  t.equal(await ofWebhooks(7), 0)
  t.equal(await ofWebhooks(8), 1)

  // Connections tell what they have read when they end.
  await Promise.all([close(), closeToo()])
  await until('the end of the connections', async () => {
    const open = await db.execute(
      sql`select from pg_stat_activity where application_name = 'measured' and datname = current_database()`,
    )
    return open.length === 0
  })
  t.strictSame([...(await wholeReads(db))], [])
})
