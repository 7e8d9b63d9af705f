import { sql } from 'drizzle-orm'
import t from 'tap'
import { contents } from './support.ts'

t.test('searches of one therapist that take long keep nobody waiting', async (t) => {
  const { call, db, host, newCase } = await contents(t)
  await newCase(7)
  await newCase(8)
  // Slow enough to be told from others, whatever the machine.
  await db.execute(sql`
    create or replace function search_fold(value text) returns text language plpgsql stable as $$
    begin
      if value like '%slow%' then perform pg_sleep(0.3); end if;
      return lower(value);
    end $$`)
  let ended = 0
  const search = (path: string) => call(7, 'GET', `${path}?keyword=slow`).finally(() => ended++)
  const slow = Array.from({ length: 16 }, (_, n) => search(n % 2 ? '' : '/total-num'))
  t.match(await call(8, 'GET', '?limit=1'), [200, [{ user_id: 8 }]])
  t.match(await call(8, 'GET', '?keyword=%EC%A7%80%EC%9A%B0'), [200, [{ user_id: 8 }]])
  t.match(await call(7, 'GET', '?limit=1'), [200, [{ user_id: 7 }]], 'nor the therapist, for what is no search')
  t.match(await call(8, 'POST', '', { given_name: 'a' }), [200, { user_id: 8 }])
  t.ok(ended < 16, `${ended} of 16 had ended`)
  const refused = await fetch(`${host.url}/contents/api/case?keyword=slow`, { headers: host.as(7) })
  t.equal(refused.status, 429)
  t.ok(Number(refused.headers.get('retry-after')) > 0)
  for (const answer of await Promise.all(slow)) t.equal(answer[0], 200, 'those that waited are answered')
})
