import {
  audioRenditions,
  chunks,
  encodePlans,
  outbox,
  previews,
  renditions,
  rungs,
  sessions,
} from '@playtherapy/schema'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { encodeAgain } from '../src/commands/encode-again.ts'
import { createDeleteSuperseded } from '../src/encode/delete-superseded.ts'
import { aac, h264, make, never, picture, prepare, sound } from './encode-support.ts'

t.test('what an older release encoded gets rungs and previews, and keeps what it has', async (t) => {
  const file = await make('old.mp4', ...picture('640x480', 4), ...sound(4), ...h264, '-vf', 'vflip', ...aac)
  const job = await prepare(t, file, 'mp4')
  const { db, store } = job
  const { video_id } = await job.upload()
  await job.encode({ video_id }, { signal: never })
  // As an older release leaves it: a rendition and a sound, which was transcribed or not.
  for (const table of [previews, rungs, chunks, encodePlans, outbox]) await db.delete(table)
  await db.update(audioRenditions).set({ isFresh: false })
  const before = {
    session: await db.select().from(sessions),
    rendition: await db.select().from(renditions),
    sound: await db.select().from(audioRenditions),
  }
  t.equal(await encodeAgain(db, () => {}), 1)
  await db.delete(outbox).where(eq(outbox.name, 'encode-video'))
  await job.encode({ video_id }, { signal: never })
  const made = await db.select({ rung: rungs.rung }).from(rungs)
  t.strictSame(made.map(({ rung }) => rung).sort(), ['sound', 'upper'])
  t.equal(await db.$count(previews), 1)
  t.strictSame(
    {
      session: await db.select().from(sessions),
      rendition: await db.select().from(renditions),
      sound: await db.select().from(audioRenditions),
    },
    before,
  )
  t.equal(await encodeAgain(db, () => t.fail('once')), 0)
  await createDeleteSuperseded({ db, store, phase: 'LOCAL' })({ session_id: before.session[0]?.id ?? 0 })
  t.equal(await db.$count(renditions), 1, 'nothing is removed as replaced')
})
