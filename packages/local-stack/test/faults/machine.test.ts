import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { canSetClocks, ownClock, type QueueBackend, queueBackends, storeBackends, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { faultPlace, makeClip } from './place.ts'

const run = promisify(execFile)
const s3 = storeBackends.includes('s3')

const mountSmall = (disk: string) => run('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', disk])

/** Whether this process may mount, which root in a container often may not. */
async function canMount(): Promise<boolean> {
  const disk = await mkdtemp(join(tmpdir(), 'playtherapy-disk-'))
  try {
    await mountSmall(disk)
    await run('umount', [disk])
    return true
  } catch {
    return false
  } finally {
    await rm(disk, { recursive: true })
  }
}

/** A disk of eight kilobytes that grows when it is told to. */
async function smallDisk(t: Test) {
  const disk = await mkdtemp(join(tmpdir(), 'playtherapy-disk-'))
  t.teardown(() => rm(disk, { recursive: true }))
  await mountSmall(disk)
  t.teardown(() => run('umount', [disk]))
  return { disk, grow: () => run('mount', ['-o', 'remount,size=100m', disk]) }
}

async function fullDisk(t: Test, queue: QueueBackend) {
  const small = await smallDisk(t)
  const place = await faultPlace(t, { queue })
  const [media, worker] = [await place.host(), await place.worker({ SCRATCH_DIRECTORY: small.disk })]
  await worker.restart()
  const session = await place.addSession()
  t.equal(await place.upload(media, session, await makeClip()), 201)
  const tried = () => place.sql`select 1 from outbox where attempts > 0 and published_at < now() - interval '3 s'`
  const ready = await fetch(`${worker.url}/health/ready`)
  t.match([ready.status, await ready.json()], [503, { message: /scratch/ }], 'it says so')
  await until('a failed try', async () => (await tried()).length > 0)
  const failures = [...(await place.sql`select failure from videos`)]
  t.strictSame(failures, [{ failure: null }], `queue on ${queue}: not held against the recording`)
  await small.grow()
  await place.encoded(session)
  await place.works(media)
}

t.test(
  "the worker's disk is full",
  { skip: !s3 || (!(await canMount()) && 'nothing may be mounted here') },
  async (t) => {
    await Promise.all(queueBackends.map((queue) => fullDisk(t, queue)))
  },
)

t.test('a clock an hour off', { skip: !s3 || !(await canSetClocks()) }, async (t) => {
  await Promise.all(
    queueBackends.map(async (queue, index) => {
      const hours = index === 0 ? '+1h' : '-1h'
      const place = await faultPlace(t, { queue })
      const [media, worker] = [await place.host(), await place.worker({ ...ownClock, FAKETIME: hours })]
      await worker.restart()
      const session = await place.addSession()
      t.equal(await place.upload(media, session, await makeClip(12)), 201, `worker ${hours}, queue on ${queue}`)
      await place.encoded(session)
      await place.works(media)
    }),
  )
})
