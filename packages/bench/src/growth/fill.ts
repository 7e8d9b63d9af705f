import postgres from 'postgres'
import { type Amounts, busiest, casesEach, momentOf, sessionsEach } from './amounts.ts'
import { fillFiles } from './fill-files.ts'
import { fillQueues } from './fill-queues.ts'
import { fillTrail } from './fill-trail.ts'

/**
 * Fills a database that has been migrated with what an installation gathers in years, in some minutes. Triggers and foreign keys do not
 * run, so what they would have written is written here. Sessions and versions of scripts are interleaved, as if all therapists worked at
 * once; half of the sessions have a recording, an eighth has four versions of a script, and a quarter a report.
 */
export async function fill(url: string, amounts: Amounts): Promise<void> {
  // A pool without the limits of the services: these statements take a minute.
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`set session_replication_role = replica`
  await sql`set synchronous_commit = off`
  await fillSessions(sql, amounts)
  await fillFiles(sql)
  await fillQueues(sql, amounts)
  await fillTrail(sql, amounts)
  for (const table of ['cases', 'sessions', 'videos', 'renditions', 'chunks', 'erasures']) {
    await sql`select setval(${`${table}_id_seq`}::regclass, (select coalesce(max(id), 1) from ${sql(table)}))`
  }
  await sql`vacuum analyze`
  await sql`checkpoint`
  await sql.end()
}

async function fillSessions(sql: postgres.Sql, { therapists, casesOfOne, months }: Amounts): Promise<void> {
  const ordinary = therapists * casesEach
  const all = ordinary + casesOfOne
  const moment = momentOf('n', all, months)
  await sql.unsafe(`
    insert into cases (user_id, given_name, family_name, description, case_state_id, created_at, updated_at)
    select case when n < ${ordinary} then ${busiest + 1} + n % ${therapists} else ${busiest} end,
      (array['지우', '민수', '서연', '하준', 'Emma', 'Noah'])[1 + n * 7 % 6],
      (array['김', '이', '박', '최', 'Kim'])[1 + n * 11 % 5],
      jsonb_build_object('age', 4 + n % 9, 'gender', (array['F', 'M', 'N'])[1 + n % 3],
        'note', case when n % 97 = 0 then '수줍음이 많아요' else 'plays with blocks and dolls ' || n end),
      1 + n % 3, ${moment}, ${moment}
    from generate_series(0, ${all - 1}) as n`)
  // Pairs of a case and the number of its session; each first session comes before each second one.
  await sql.unsafe(`
    insert into sessions (id, case_id, name, session_state_id, encoding_state_id, script_state_id, analyze_state_id, video_length,
      video_id, rendition_id, script_version_id, report_version_id, last_script_version, last_report_version, created_at)
    select id, case_id, number || '회기', 1, case when id % 2 = 0 then 3 else 5 end, case when id % 8 = 0 then 3 else 5 end,
      case when id % 4 = 0 then 3 else 5 end, case when id % 2 = 0 then '00:50:00' end,
      case when id % 2 = 0 then id end, case when id % 2 = 0 then id end, case when id % 8 = 0 then id / 2 end,
      case when id % 4 = 0 then id end, case when id % 8 = 0 then 4 else 0 end, case when id % 4 = 0 then 1 else 0 end,
      ${momentOf('id', all * sessionsEach, months)}
    from (select (number - 1) * ${all} + cases.id as id, cases.id as case_id, number
      from generate_series(1, ${sessionsEach}) as number, cases) as made`)
}
