import { openDatabase } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import { emptyBucket } from '../bucket.ts'
import { press } from '../load.ts'
import { median } from '../measure.ts'
import type { Place } from '../place.ts'
import { madeUpRecording, mebibyte, uploadForm } from '../recordings.ts'
import { addSessions, therapist } from '../seed.ts'
import { timed, watch } from '../usage.ts'

const uploadBytes = 512 * mebibyte
const uploads = 3
const load = { clients: 8, seconds: 5 }

/** CPU seconds that media uses for each GiB of a multipart upload to S3: the median of three uploads. */
async function measureUpload(place: Place): Promise<number> {
  const databaseUrl = await place.database('unit_uploads')
  const media = await place.start({
    program: 'media',
    env: await place.settings(databaseUrl),
    ready: '/health/ready',
  })
  const file = await madeUpRecording(place.directory, uploadBytes)
  const found: number[] = []
  for (const { path } of await addSessions(databaseUrl, uploads)) {
    const sample = await timed(media, () =>
      uploadForm(`${media.url}${path}/video`, place.as(therapist), file, uploadBytes),
    )
    found.push((sample.cpuSeconds * 1024 * mebibyte) / uploadBytes)
    await emptyBucket(await place.bucket())
  }
  await media.stop()
  return median(found)
}

/** CPU seconds that contents and its connections to PostgreSQL use for a thousand lists of ten cases, and what they leave there. */
async function measureLists(place: Place) {
  const databaseUrl = await place.database('unit_lists')
  const database = openDatabase({ url: databaseUrl, max: 1, applicationName: 'bench' })
  await database.db.execute(sql`insert into cases (user_id, given_name, description)
    select ${therapist}::int, '민수', jsonb_build_object('age', 7, 'gender', 'M', 'note', 'plays with blocks') from generate_series(1, 100)`)
  const contents = await place.start({
    program: 'contents',
    env: await place.settings(databaseUrl),
    ready: '/health/ready',
  })
  const next = () => ({
    url: `${contents.url}/contents/api/case?skip=0&limit=10&keyword=`,
    headers: place.as(therapist),
  })
  await press(next, { ...load, seconds: 1 })
  const audited = async () => {
    const [row] = await database.db.execute<{ rows: number; bytes: number }>(sql`
      select (select count(*)::float8 from audit_events) as rows,
        (select sum(pg_total_relation_size(relid))::float8 from pg_stat_user_tables where relname like 'audit_events%') as bytes`)
    return row ?? { rows: 0, bytes: 0 }
  }
  const before = await audited()
  const backends = await database.db.execute<{ pid: number }>(
    sql`select pid from pg_stat_activity where application_name = 'contents'`,
  )
  const [service, ...server] = await Promise.all([contents.pid, ...backends.map(({ pid }) => pid)].map(watch))
  const { perSecond } = await press(next, load)
  const thousands = (perSecond * load.seconds) / 1000
  const [used, ...usedByServer] = await Promise.all([service, ...server].map((usage) => usage?.()))
  await contents.stop()
  const after = await audited()
  await database.close()
  return {
    listCpuSecondsPerThousand: (used?.cpuSeconds ?? 0) / thousands,
    listDatabaseCpuSecondsPerThousand: usedByServer.reduce((sum, each) => sum + (each?.cpuSeconds ?? 0), 0) / thousands,
    auditRowsPerThousandLists: (after.rows - before.rows) / thousands,
    auditRowBytes: after.bytes / after.rows,
  }
}

/** What one unit of work costs on this machine. */
export async function measureUnits(place: Place) {
  return { uploadCpuSecondsPerGiB: await measureUpload(place), ...(await measureLists(place)) }
}
