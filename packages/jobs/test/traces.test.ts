/** The trace of a job: from the row that announces it, through relay and queue, to what the job announces. */
import { announce, outbox } from '@playtherapy/schema'
import { queueBackends, startCollector, testDatabase, until } from '@playtherapy/testing'
import { currentTraceparent, startTracing } from '@playtherapy/tracing'
import t from 'tap'
import { PermanentError, PostponedError } from '../src/index.ts'
import { testPlace } from './support.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`
const settings = { ratio: 1, service: 'test', version: '1', onFailure() {} }

for (const backend of queueBackends) {
  t.test(`a job continues the trace of its row, on ${backend}`, async (t) => {
    const collector = await startCollector(t)
    const tracing = await startTracing({ ...settings, endpoint: collector.url })
    const place = await testPlace(t, backend)
    const { db, sql } = place.database
    await announce(db, 'erase', { erasure_id: 1 }, { traceparent })
    await announce(db, 'erase', { erasure_id: 2 }, { traceparent })
    await announce(db, 'erase', { erasure_id: 3 })
    // Published long ago, and the queue was wiped since.
    await sql`update outbox set published_at = now() - interval '1 minute' where payload ->> 'erasure_id' = '1'`
    let isFirst = true
    const erase = async ({ erasure_id }: { erasure_id: number }) => {
      if (erasure_id !== 2) return
      if (isFirst) {
        isFirst = false
        throw new PostponedError(10)
      }
      await announce(db, 'sweep-presigned', { video_id: 9 })
      await announce(db, 'delete-superseded', { session_id: 9 }, { delaySeconds: 86_400 })
    }
    const sweep = async () => {
      throw new PermanentError('no name of a child', { fault: 'ours' })
    }
    await place.start({ handlers: { erase, 'sweep-presigned': sweep } })
    const rows = await until(
      'the end of all jobs but one',
      () => db.select().from(outbox).orderBy(outbox.name),
      ([later, failed, ...others]) => later !== undefined && Boolean(failed?.failedAt) && others.length === 0,
    )
    t.match(rows[0], { name: 'delete-superseded', traceparent: null }, 'what begins a day later has a trace of its own')
    await tracing.close()

    const jobs = collector.spans.filter(({ name }) => name.startsWith('job '))
    const of = (erasureId: number) =>
      jobs.filter(({ attributes }) => attributes['playtherapy.erasure_id'] === erasureId)
    const parentOf = ({ parentSpanId }: { parentSpanId: string }) =>
      collector.spans.find(({ spanId }) => spanId === parentSpanId)
    t.match(
      of(1).map((job) => [job.traceId, job.attributes['playtherapy.outcome'], parentOf(job)?.name]),
      [[traceId, 'done', 'publish erase']],
      'also one that the queue had lost',
    )
    t.strictSame(
      of(2).map((job) => [job.traceId, job.attributes['playtherapy.outcome'], job.failed, parentOf(job)?.name]),
      [
        [traceId, 'postponed', false, 'publish erase'],
        [traceId, 'done', false, 'publish erase'],
      ],
    )
    t.match(
      of(3).map((job) => [job.parentSpanId, job.traceId === traceId]),
      [['', false]],
      'without a row’s trace it begins one',
    )
    const swept = jobs.find(({ name }) => name === 'job sweep-presigned')
    t.match(swept, {
      traceId,
      failed: true,
      attributes: { 'playtherapy.outcome': 'given_up', 'error.type': 'PermanentError', 'playtherapy.video_id': 9 },
    })
    t.notMatch(collector.bodies.join(), 'no name of a child')
  })
}

t.test('a row holds no traceparent but a valid one', async (t) => {
  const { db } = await testDatabase(t)
  t.equal(currentTraceparent(), undefined)
  for (const wrong of ['', `${traceparent}0`, traceparent.toUpperCase(), 'a name']) {
    await t.rejects(announce(db, 'erase', { erasure_id: 1 }, { traceparent: wrong }), wrong)
  }
  await announce(db, 'erase', { erasure_id: 1 })
  t.match(await db.select().from(outbox), [{ traceparent: null }])
})
