/** The export of a case over HTTP: who may begin one, how many, and what is shown of it. */
import { auditEvents, caseExports, cases, outbox, State } from '@playtherapy/schema'
import { asc, eq, sql } from 'drizzle-orm'
import t from 'tap'
import { contents } from './support.ts'

const notFound = (caseId: number) => [400, { message: `Case ${caseId} not found`, error_code: 2 }]
const none = [404, { error_code: 404, message: 'There is no export of this case, or none that is finished' }]

t.test('an export is begun, seen and linked by the therapist of its case alone', async (t) => {
  const { db, call, newCase } = await contents(t)
  const caseId = await newCase(7)
  const path = `/${caseId}/export`
  t.match(await call(7, 'GET', path), none, 'none was begun')
  t.match(await call(7, 'POST', `${path}/link`), none)
  const asked = { without_media: true, pseudonyms: true }
  for (const [method, tried] of [
    ['POST', path],
    ['GET', path],
    ['POST', `${path}/link`],
  ] as const) {
    t.match(await call(8, method, tried, method === 'POST' ? asked : undefined), notFound(caseId), `${method} ${tried}`)
  }
  t.match(await call(7, 'POST', '/2000000/export', {}), notFound(2_000_000))
  t.match(await call(7, 'POST', path, { without_media: 'yes' }), [422])
  t.match(await call(7, 'POST', path, []), [422])

  const waiting = {
    ...{ state_id: 1, progress: 0, ...asked, size: null, missing: 0, failure: null },
    ...{ finished_at: null, expires_at: null },
  }
  t.match(await call(7, 'POST', path, asked), [200, waiting])
  t.match(await call(7, 'GET', path), [200, waiting])
  t.match(await call(7, 'POST', `${path}/link`), none, 'it is not finished')
  const [row] = await db.select().from(caseExports)
  const jobs = await db.select({ name: outbox.name, payload: outbox.payload }).from(outbox)
  t.same(jobs, [{ name: 'export-case', payload: { export_id: row?.id } }], 'the job has an id only')

  await db.update(caseExports).set({
    ...{ stateId: State.DONE, path: 'LOCAL/1/1.zip', size: 10, etag: '"1"' },
    ...{ finishedAt: sql`now()`, expiresAt: sql`now() + interval '1 minute'` },
  })
  t.match(await call(7, 'POST', `${path}/link`), [
    200,
    { path: /^\/contents\/api\/playback\/[\w.-]+\/export\.zip$/, expires_at: /Z$/ },
  ])
  const events = await db.select().from(auditEvents).where(eq(auditEvents.kind, 'export')).orderBy(asc(auditEvents.id))
  const told = events.map(({ action, userId, caseId, version, result }) => ({
    action,
    userId,
    caseId,
    version,
    result,
  }))
  const of7 = { userId: 7, caseId, version: row?.id ?? 0, result: 0 }
  t.strictSame(
    told.filter(({ result }) => result === 0),
    [
      { action: 'export', ...of7 },
      { action: 'read', ...of7 },
      { action: 'link', ...of7 },
    ],
  )
  t.strictSame(
    told.filter(({ userId }) => userId === 8).map(({ action, result }) => [action, result]),
    [
      ['refused', 2],
      ['refused', 2],
      ['refused', 2],
    ],
  )
  await db.update(caseExports).set({ expiresAt: sql`now()` })
  t.match(await call(7, 'GET', path), none, 'it has expired')
  t.match(await call(7, 'POST', `${path}/link`), none)
})

t.test('one export of a case at a time, and two of a therapist', async (t) => {
  const { db, call, newCase } = await contents(t)
  const ids = [await newCase(7), await newCase(7), await newCase(7)]
  const other = await newCase(8)
  const begin = (user: number, id: number | undefined) => call(user, 'POST', `/${id}/export`, {})
  const running = [409, { error_code: 409, message: 'An export of this case is being made already' }]
  const both = await Promise.all([begin(7, ids[0]), begin(7, ids[0])])
  t.match(
    both.toSorted(([a], [b]) => a - b),
    [[200], running],
    'twice at once',
  )
  t.equal(await db.$count(outbox), 1)
  const rest = await Promise.all([begin(7, ids[1]), begin(7, ids[2])])
  t.match(
    rest.toSorted(([a], [b]) => a - b),
    [[200], [429, { error_code: 10 }]],
    'two cases at once',
  )
  t.match(await begin(8, other), [200], 'another therapist has a share of their own')

  await db.update(caseExports).set({ stateId: State.ERROR, failure: 'It broke.', finishedAt: sql`now()` })
  t.match(await call(7, 'GET', `/${ids[0]}/export`), [200, { state_id: 4, failure: 'It broke.' }])
  const before = await db
    .select({ id: caseExports.id })
    .from(caseExports)
    .where(eq(caseExports.caseId, ids[0] ?? 0))
  const [, again] = await begin(7, ids[0])
  t.match(again, { state_id: 1, failure: null })
  t.not(Object(again).id, before[0]?.id, 'a new one replaces it')
})

t.test('a case that is deleted takes its export along, and one that is being deleted begins none', async (t) => {
  const { db, call, newCase, newSession } = await contents(t)
  const caseId = await newCase(7)
  const sessionId = await newSession(7, caseId)
  t.match(await call(7, 'POST', `/${caseId}/export`, {}), [200])
  t.match(await call(7, 'DELETE', `/${caseId}/session/${sessionId}`), [200])
  t.match(await call(7, 'GET', `/${caseId}/export`), none, 'what was deleted is in it')
  t.match(await call(7, 'POST', `/${caseId}/export`, {}), [200])
  t.match(await call(7, 'DELETE', `/${caseId}`), [200])
  t.match(await call(7, 'GET', `/${caseId}/export`), notFound(caseId))
  t.equal(await db.$count(caseExports), 0)

  const next = await newCase(7)
  const [begun, deleted] = await Promise.all([call(7, 'POST', `/${next}/export`, {}), call(7, 'DELETE', `/${next}`)])
  t.match(deleted, [200])
  t.ok([200, 400].includes(begun[0]) || (begun[0] === 404 && 'it was begun and then deleted'), JSON.stringify(begun))
  t.equal(await db.$count(cases), 0)
  t.equal(await db.$count(caseExports), 0)
})
