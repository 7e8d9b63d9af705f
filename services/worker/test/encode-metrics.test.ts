import { videos } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { aac, h264, make, never, picture, prepare, sound } from './encode-support.ts'

t.test('the time to playable is measured once for a recording, and the speed of each kind of chunk', async (t) => {
  const file = await make('measured.mp4', ...picture('320x240'), ...sound(), ...h264, ...aac)
  const worker = await prepare(t, file, 'mp4')
  const { video_id } = await worker.upload()
  await worker.db.update(videos).set({ storedAt: sql`now() - interval '50 seconds'` })
  await worker.encode({ video_id }, { signal: never })
  const { text } = await worker.meter.read()
  const value = (metric: string) =>
    Number(
      text
        .split('\n')
        .find((each) => each.startsWith(`${metric} `))
        ?.split(' ')[1],
    )
  t.equal(value('recording_time_to_playable_seconds_count'), 1)
  t.equal(value('recording_time_to_playable_seconds_bucket{le="45"}'), 0)
  const seconds = value('recording_time_to_playable_seconds_sum')
  t.ok(seconds >= 50 && seconds < 300, `${seconds} s after it was durable`)
  for (const kind of ['sound', 'picture']) {
    t.equal(value(`chunk_encode_duration_seconds_count{kind="${kind}"}`), 1, kind)
    t.ok(Math.abs(value(`encoded_recording_seconds_total{kind="${kind}"}`) - 2) < 0.3, kind)
  }
})
