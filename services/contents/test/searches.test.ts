import { sql } from 'drizzle-orm'
import t from 'tap'
import { contents } from './support.ts'

t.test('slow searches of one therapist do not delay others', async (t) => {
  const { call, db, host, newCase } = await contents(t)
  await newCase(7)
  await newCase(8)
  // A search for `slow` waits for this connection's lock, or until the 5 s timeout of a heavy statement.
  await db.execute(sql`
    create or replace function search_fold(value text) returns text language plpgsql stable as $$
    begin
      if value = 'slow' then perform pg_advisory_xact_lock_shared(1); end if;
      return lower(value);
    end $$`)
  const held = await db.$client.reserve()
  await held`select pg_advisory_lock(1)`
  let ended = 0
  const slow = Array.from({ length: 16 }, (_, n) =>
    call(7, 'GET', `${n % 2 ? '' : '/total-num'}?keyword=slow`).finally(() => ended++),
  )
  t.match(await call(8, 'GET', '?limit=1'), [200, [{ user_id: 8 }]])
  t.match(await call(8, 'GET', '?keyword=%EC%A7%80%EC%9A%B0'), [200, [{ user_id: 8 }]])
  t.match(await call(8, 'POST', '', { given_name: 'a' }), [200, { user_id: 8 }])
  t.match(await call(7, 'GET', '?limit=1'), [200, [{ user_id: 7 }]], 'the therapist can read lists meanwhile')
  const more = Array.from({ length: 16 }, () =>
    fetch(`${host.url}/contents/api/case?keyword=slow`, { headers: host.as(7) }),
  )
  const refused = await Promise.race(more)
  t.equal(refused.status, 429)
  t.ok(Number(refused.headers.get('retry-after')) > 0)
  t.ok(ended < 16, `${ended} of 16 had ended`)
  await held`select pg_advisory_unlock(1)`
  held.release()
  const answers = await Promise.all(slow)
  await Promise.all(more)
  t.equal(answers.at(-1)?.[0], 200, 'the searches that waited succeed')
})

t.test('deletions of one therapist that wait for each other do not delay others', async (t) => {
  const { call, db, newCase } = await contents(t)
  const id = await newCase(7)
  await newCase(8)
  const held = await db.$client.reserve()
  await held`begin`
  await held`select from cases where id = ${id} for update`
  let ended = 0
  const deletions = Array.from({ length: 16 }, () => call(7, 'DELETE', `/${id}`).finally(() => ended++))
  t.match(await call(8, 'GET', '?limit=1'), [200, [{ user_id: 8 }]])
  t.match(await call(8, 'POST', '', { given_name: 'a' }), [200, { user_id: 8 }])
  t.equal(ended, 0)
  await held`rollback`
  held.release()
  t.equal((await Promise.all(deletions)).filter(([status]) => status === 200).length, 1)
})
