import { seedSession, testDatabase } from '@playtherapy/testing'
import postgres from 'postgres'
import t from 'tap'

/** A database with two sessions of therapist 7 in different cases, and what has been logged since. */
async function twoSessions(t: Parameters<typeof testDatabase>[0]) {
  const { db, url } = await testDatabase(t)
  const [first, second] = [await seedSession(db, 7), await seedSession(db, 7)]
  const sql = postgres(url, { max: 4, onnotice: () => {} })
  t.teardown(() => sql.end())
  await sql`delete from session_changes`
  const logged = async () =>
    (await sql`select user_id, case_id, session_id from session_changes order by id`).map((row) => [
      row.user_id,
      row.case_id,
      row.session_id,
    ])
  return { sql, first, second, logged }
}

t.test('a number is not seen before all smaller ones', async (t) => {
  const { sql, first, second, logged } = await twoSessions(t)
  const slow = await sql.reserve()
  await slow`begin`
  await slow`update sessions set name = 'slow' where id = ${first.sessionId}`
  // What happens at its commit, which then takes its time.
  await slow`set constraints all immediate`
  const fast = sql`update sessions set name = 'fast' where id = ${second.sessionId}`.execute()
  const waits = () => sql`select 1 from pg_locks where locktype = 'advisory' and not granted`
  while ((await waits()).length === 0);
  t.same(await logged(), [])
  await slow`commit`
  slow.release()
  await fast
  t.same(await logged(), [
    [7, first.caseId, first.sessionId],
    [7, second.caseId, second.sessionId],
  ])
})

t.test('what nobody is shown is not logged, and what is rolled back is not', async (t) => {
  const { sql, first, logged } = await twoSessions(t)
  await sql`update sessions set last_script_version = 3 where id = ${first.sessionId}`
  await sql`update cases set given_name = 'x'`
  await sql`insert into videos (session_id, state, path) values (${first.sessionId}, 'presigned', 'p')`
  await sql`delete from videos`
  await sql
    .begin(async (tx) => {
      await tx`update sessions set name = 'x'`
      throw new Error('no')
    })
    .catch(() => {})
  t.same(await logged(), [])
})

t.test('a deleted session is logged for the therapist whose case it was, whatever is deleted first', async (t) => {
  const { sql, first, second, logged } = await twoSessions(t)
  await sql`delete from cases where id = ${first.caseId}`
  t.same(await logged(), [
    [7, first.caseId, null],
    [7, first.caseId, first.sessionId],
  ])
  await sql.begin(async (tx) => {
    await tx`delete from sessions where id = ${second.sessionId}`
    await tx`delete from cases where id = ${second.caseId}`
  })
  t.same((await logged()).slice(2), [
    [7, second.caseId, second.sessionId],
    [7, second.caseId, null],
  ])
})

t.test('a case that another therapist takes over is logged for both', async (t) => {
  const { sql, first, logged } = await twoSessions(t)
  await sql`update cases set user_id = 8 where id = ${first.caseId}`
  t.same(
    (await logged()).sort(),
    [
      [7, first.caseId, first.sessionId],
      [7, first.caseId, null],
      [8, first.caseId, first.sessionId],
    ].sort(),
  )
})

t.test('a session has one row, that of its last change', async (t) => {
  const { sql, first, second, logged } = await twoSessions(t)
  for (const name of ['a', 'b', 'c']) await sql`update sessions set name = ${name}`
  t.same(
    (await logged()).sort(),
    [
      [7, first.caseId, first.sessionId],
      [7, second.caseId, second.sessionId],
    ].sort(),
  )
  await sql`delete from sessions where id = ${first.sessionId}`
  t.same((await logged()).at(-1), [7, first.caseId, first.sessionId])
  t.equal((await logged()).length, 2)
})

t.test('writers of the same sessions in another order do not stop each other', async (t) => {
  const { sql, first, second, logged } = await twoSessions(t)
  const third = await sql`insert into sessions (case_id, name) values (${first.caseId}, 'x') returning id`
  const write = async (ids: number[]) => {
    for (let n = 0; n < 30; n++)
      for (const id of ids) await sql`update sessions set name = ${`${id} ${n}`} where id = ${id}`
  }
  const ids = [first.sessionId, second.sessionId, Number(third[0]?.id)]
  await Promise.all([write(ids), write(ids.toReversed()), write(ids)])
  t.equal((await logged()).length, 3)
})

t.test('progress is notified while there are event streams, and otherwise costs no notice', async (t) => {
  const { sql, first } = await twoSessions(t)
  const heard: string[] = []
  await sql.listen('session_changes', (notice) => heard.push(notice))
  const [video] =
    await sql`insert into videos (session_id, state, path) values (${first.sessionId}, 'receiving', 'p') returning id`
  const progress = async (received: number) => {
    await sql`update videos set received = ${received} where id = ${video?.id}`
    // A notice of a later transaction comes after all earlier ones.
    await sql`select pg_notify('session_changes', ${`end ${received}`})`
    while (heard.at(-1) !== `end ${received}`) await new Promise((resolve) => setTimeout(resolve, 5))
    return heard.splice(0).slice(0, -1).filter(Boolean)
  }
  t.same(await progress(1), [])
  await sql`update installation set streams_seen_at = now()`
  t.same(await progress(2), [`7:${first.caseId}:${first.sessionId}`])
  await sql`update installation set streams_seen_at = now() - interval '3 minutes'`
  t.same(await progress(3), [])
})
