import { readFileSync } from 'node:fs'
import postgres from 'postgres'
import { openPlace } from './place.ts'
import { addRendition, addSessions } from './seed.ts'
const place = await openPlace()
const url = await place.database('links')
const [session] = await addSessions(url, 1)
await addRendition(url, session!, async () => ({ size: 1, etag: '"o"' }))
const sql = postgres(url, { max: 1, onnotice: () => {} })
console.log(session)
await sql.unsafe(`analyze`)
const shown = `(select row_to_json(parts) from (
      select v.id, v.id is not distinct from r.video_id as has_mp4, exists (select from encode_plans where video_id = v.id)
  and not exists (select from chunks where video_id = v.id and kind = 'sound' and index = 0 and state <> 'encoded')
  and (exists (select from rungs where video_id = v.id and rung = 'upper')
    or exists (select from chunks
      where video_id = v.id and kind in ('copy', 'picture') and index = 0 and state = 'encoded')) as has_hls,
        exists (select from previews where video_id = v.id) as has_previews
      from videos v left join renditions r on r.id = sessions.rendition_id
      where v.id in (sessions.video_id, r.video_id) and v.state <> 'failed'
    ) parts where has_mp4 or has_hls order by id desc limit 1) as shown`
const own = 'sessions inner join cases on cases.id = sessions.case_id where cases.user_id = $1 and sessions.case_id=$2 and sessions.id = $3'
const users = (await sql`select user_id from cases`)[0]!.user_id
const B = `select s.id as session_id, s.script_version_id is not null as has_script, v.id as video_id, v.id is not distinct from r.video_id as has_mp4,
  (p.video_id is not null and (c.id is null) and (u.video_id is not null or k.id is not null)) as has_hls, pr.video_id is not null as has_previews
  from cases left join sessions s on s.case_id = cases.id and s.id = $3
  left join renditions r on r.id = s.rendition_id
  left join videos v on v.id in (s.video_id, r.video_id) and v.state <> 'failed'
  left join encode_plans p on p.video_id = v.id
  left join rungs u on u.video_id = v.id and u.rung = 'upper'
  left join chunks c on c.video_id = v.id and c.kind = 'sound' and c.index = 0 and c.state <> 'encoded'
  left join chunks k on k.video_id = v.id and k.kind in ('copy', 'picture') and k.index = 0 and k.state = 'encoded'
  left join previews pr on pr.video_id = v.id
  where cases.id = $2 and cases.user_id = $1 order by v.id desc`
const C = `select s.id as session_id, s.script_version_id is not null as has_script, v.id as video_id, v.id is not distinct from r.video_id as has_mp4
  from cases left join sessions s on s.case_id = cases.id and s.id = $3
  left join renditions r on r.id = s.rendition_id
  left join videos v on v.id in (s.video_id, r.video_id) and v.state <> 'failed'
  where cases.id = $2 and cases.user_id = $1 order by v.id desc`
const D = `select s.id as session_id, s.script_version_id is not null as has_script, v.id as video_id
  from cases left join sessions s on s.case_id = cases.id and s.id = $3
  left join videos v on v.session_id = s.id and v.state <> 'failed'
  where cases.id = $2 and cases.user_id = $1 `
const begun = `exists (select from encode_plans p left join rungs u on u.video_id = p.video_id and u.rung = 'upper'
  left join chunks k on k.video_id = p.video_id and k.index = 0 and k.kind in ('copy', 'picture') and k.state = 'encoded'
  left join chunks c on c.video_id = p.video_id and c.index = 0 and c.kind = 'sound' and c.state <> 'encoded'
  where p.video_id = v.id and c.id is null and (u.video_id is not null or k.id is not null))`
const old = `exists (select from encode_plans where video_id = v.id)
  and not exists (select from chunks where video_id = v.id and kind = 'sound' and index = 0 and state <> 'encoded')
  and (exists (select from rungs where video_id = v.id and rung = 'upper')
    or exists (select from chunks
      where video_id = v.id and kind in ('copy', 'picture') and index = 0 and state = 'encoded'))`
const E = (off: string, b: string) => `select s.id as session_id, s.script_version_id is not null as has_script, (select row_to_json(parts) from (
      select v.id, has_mp4, has_hls, exists (select from previews where video_id = v.id) as has_previews
      from videos v left join renditions r on r.id = s.rendition_id
      cross join lateral (select v.id is not distinct from r.video_id as has_mp4, ${b} as has_hls ${off}) made
      where v.id in (s.video_id, r.video_id) and (has_mp4 or has_hls)
      order by v.state = 'failed', v.id desc limit 1
    ) parts) as shown from cases left join sessions s on s.case_id = cases.id and s.id = $3 where cases.id = $2 and cases.user_id = $1`
const B2 = `select s.id as session_id, s.script_version_id is not null as has_script, (select row_to_json(parts) from (
      select v.id, v.id is not distinct from r.video_id as has_mp4,
      p.video_id is not null and c.id is null and (u.video_id is not null or k.id is not null) as has_hls, pr.video_id is not null as has_previews
      from videos v left join renditions r on r.id = s.rendition_id
  left join encode_plans p on p.video_id = v.id
  left join rungs u on u.video_id = v.id and u.rung = 'upper'
  left join chunks c on c.video_id = v.id and c.kind = 'sound' and c.index = 0 and c.state <> 'encoded'
  left join chunks k on k.video_id = v.id and k.kind in ('copy', 'picture') and k.index = 0 and k.state = 'encoded'
  left join previews pr on pr.video_id = v.id
      where v.id in (s.video_id, r.video_id)
      order by v.state = 'failed', v.id desc
    ) parts where has_mp4 or has_hls limit 1) as shown from cases left join sessions s on s.case_id = cases.id and s.id = $3 where cases.id = $2 and cases.user_id = $1`
for (const [name, q] of [['int', E('', old)], ['Eold0', E('offset 0', old)], ['Enew', E('', begun)], ['Enew0', E('offset 0', begun)], ['B2', B2], ['f1', `select sessions.id, sessions.script_version_id is not null as has_script, ${shown} from ${own}`], ['b', B], ['c', C],['d', D], ['guard', `select sessions.id from ${own}`]]) {
  for (let i = 0; i < 50; i++) await sql.unsafe(q, [users, 1, 1], { prepare: true })
  const pid = (await sql`select pg_backend_pid() p`)[0]!.p; const cpu = () => { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return Number(f[11]) + Number(f[12]) }; const t = performance.now(); const u = cpu()
  for (let i = 0; i < 3000; i++) await sql.unsafe(q, [users, 1, 1], { prepare: true })
  console.log(name, 'cpu us', (cpu() - u) * 10000 / 3000, 'ms', (performance.now() - t) / 3000); if (0) console.log( JSON.stringify(await sql.unsafe(q, [users, 1, 1], { prepare: true })))
}
await sql.end(); await place.stop(); process.exit(0)
