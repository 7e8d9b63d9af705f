import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { queueBackends, storeBackends } from '@playtherapy/testing'
import t from 'tap'
import { faultPlace, makeClip, until } from './place.ts'

const run = promisify(execFile)
const works = (program: string, ...args: string[]) =>
  run(program, args).then(
    () => true,
    () => false,
  )
const s3 = storeBackends.includes('s3')

const disk = await mkdtemp(join(tmpdir(), 'playtherapy-disk-'))
const mounted = await works('mount', '-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', disk)
t.teardown(async () => {
  if (mounted) await run('umount', [disk])
  await rm(disk, { recursive: true })
})

t.test("the worker's disk is full", { skip: !s3 || !mounted }, async (t) => {
  const place = await faultPlace(t)
  const [media, worker] = [await place.host(), await place.worker({ SCRATCH_DIRECTORY: disk })]
  await worker.restart()
  const session = await place.addSession()
  t.equal(await place.upload(media, session, await makeClip()), 201)
  await until(
    'a failed try',
    async () =>
      (await place.sql`select 1 from outbox where attempts > 0 and published_at < now() - interval '3 s'`).length > 0,
  )
  t.strictSame(
    [...(await place.sql`select failure from videos`)],
    [{ failure: null }],
    'not held against the recording',
  )
  await run('mount', ['-o', 'remount,size=100m', disk])
  await place.encoded(session)
  await place.works(media)
})

t.test('a clock an hour off', { skip: !s3 || !(await works('faketime', '-f', '+1h', 'true')) }, async (t) => {
  const env = { DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
  await Promise.all(
    queueBackends.map(async (queue, index) => {
      const hours = index === 0 ? '+1h' : '-1h'
      const place = await faultPlace(t, { queue })
      const [media, worker] = [await place.host(), await place.worker(env, ['faketime', '-f', hours])]
      await worker.restart()
      const session = await place.addSession()
      t.equal(await place.upload(media, session, await makeClip(12)), 201, `worker ${hours}, queue on ${queue}`)
      await place.encoded(session)
      await place.works(media)
    }),
  )
})
