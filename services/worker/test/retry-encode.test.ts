import { chunks, deadLetters, outbox, retry } from '@playtherapy/schema'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { createChunkFailed } from '../src/encode/encode-chunk.ts'
import { make, never, picture, prepare } from './encode-support.ts'

t.test('an encode that was given up goes on with the chunks that it lacks', async (t) => {
  const codec = ['-c:v', 'mpeg4', '-g', '10', '-qscale:v', '9']
  const job = await prepare(t, await make('long.mp4', ...picture('160x90', 70, 5), ...codec), 'mp4')
  const { db } = job
  const { video_id } = await job.upload()
  await job.plan({ video_id }, { signal: never })
  const [first, second, ...others] = await db.select().from(outbox).where(eq(outbox.name, 'encode-chunk'))
  if (!first || !second || !('chunk_id' in first.payload) || !('chunk_id' in second.payload))
    throw new Error('one chunk')
  await job.chunk(first.payload, { signal: never })
  await db.delete(outbox).where(eq(outbox.id, first.id))
  await createChunkFailed(db)(second.payload, 'disk full')
  await db.update(outbox).set({ failedAt: new Date(), failure: 'disk full' }).where(eq(outbox.id, second.id))
  t.match(await job.state(), { encoding: 4, videos: [{ state: 'failed', failure: 'disk full' }] })
  const [third] = others
  if (third && 'chunk_id' in third.payload) await job.chunk(third.payload, { signal: never })
  t.equal(await db.$count(chunks, eq(chunks.state, 'encoded')), 1, 'the others end without work')
  await db.delete(outbox).where(eq(outbox.id, third?.id ?? 0))

  const [letter] = await deadLetters(db)
  t.ok(await retry(db, letter?.id ?? 0))
  t.match(await job.state(), { encoding: 1, videos: [{ state: 'stored', failure: null }] })
  await db.delete(outbox).where(eq(outbox.name, 'encode-video'))
  await job.encode({ video_id }, { signal: never })
  t.match(await job.state(), { encoding: 3, videos: [{ state: 'encoded' }] })
  const attempts = await db.select({ id: chunks.id, attempt: chunks.attempt }).from(chunks)
  t.ok(attempts.length > 2)
  t.ok(
    attempts.every(({ attempt }) => attempt === 1),
    'none was encoded twice',
  )
})
