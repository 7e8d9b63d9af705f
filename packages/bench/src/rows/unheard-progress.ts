import postgres from 'postgres'
import { alternate, ratio } from '../measure.ts'
import type { Row } from '../row.ts'

/** Uploads that get on at the same time, and how often each does. */
const [uploads, changes] = [8, 200]

/** Measures what it costs an upload's row that its progress could be told, while nobody listens. */
async function measureProgress(databaseUrl: string) {
  const sql = postgres(databaseUrl, { max: uploads, onnotice: () => {} })
  await sql`insert into cases (user_id, given_name) select n, '민수' from generate_series(1, ${uploads}) n`
  await sql`insert into sessions (case_id, name) select id, 'first' from cases`
  const videos =
    await sql`insert into videos (session_id, state, path) select id, 'receiving', id from sessions returning id`
  const change = async () => {
    const begin = performance.now()
    await Promise.all(
      videos.map(async ({ id }) => {
        for (let n = 0; n < changes; n++) await sql`update videos set received = ${n} where id = ${id}`
      }),
    )
    return performance.now() - begin
  }
  const samples = await alternate({
    ours: change,
    bare: async () => {
      await sql`alter table videos disable trigger notify_progress`
      const ms = await change()
      await sql`alter table videos enable trigger notify_progress`
      return ms
    },
  })
  await sql.end()
  const name = 'progress of 8 uploads with nobody listening: time against no trigger'
  return ratio({ name, target: { most: 1.05 } }, [samples.ours, samples.bare], (ms) => ms)
}

/** Progress of uploads while no process has event streams. */
export const unheardProgress: Row = {
  name: 'unheard progress',
  measure: async (place) => [await measureProgress(await place.database('progress'))],
}
