import { setTimeout as sleep } from 'node:timers/promises'
import { type QueueBackend, queueBackends, type Signal, storeBackends, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { faultPlace, makeClip } from './place.ts'

const skip = !storeBackends.includes('s3')

async function begin(t: Test, queue: QueueBackend = 'redis') {
  const place = await faultPlace(t, { queue })
  const media = await place.media()
  await media.restart()
  return { place, media, session: await place.addSession(), clip: await makeClip(12) }
}

/** Afterwards: everything starts again, what died is cleaned up, and new work is done. */
async function recover({ place, media }: Awaited<ReturnType<typeof begin>>) {
  await place.leasesRunOut()
  const worker = await place.worker()
  await Promise.all([media.restart(), worker.restart()])
  await place.works(media)
}

// Each of these strikes, and answers with what is to be seen afterwards, most of which is waiting.

async function midUpload(t: Test, signal: Signal) {
  const at = await begin(t)
  const { place, media, session, clip } = at
  const status = await place.upload(media, session, clip, async () => {
    await until('a row', async () => (await place.sql`select 1 from videos where state = 'receiving'`).length > 0)
    await media.kill(signal)
  })
  t.not(status, 201, `mid-upload, ${signal}: nothing was acknowledged`)
  return async () => {
    await recover(at)
    const rows = await place.sql`select state::text from videos where session_id = ${session}`
    t.strictSame([...rows], [{ state: 'failed' }], `${signal}: only its failure is remembered`)
  }
}

async function betweenObjectAndCommit(t: Test, signal: Signal) {
  const at = await begin(t)
  const { place, media, session, clip } = at
  place.gate.after = async ({ method, query }) => {
    if (method !== 'POST' || !query.includes('uploadId')) return
    const gone = media.kill(signal)
    if (signal === 'SIGKILL') await gone
  }
  const status = await place.upload(media, session, clip)
  place.gate.after = () => {}
  // What is closing ends what it has begun.
  t.equal(status, signal === 'SIGKILL' ? 0 : 201, `between object and commit, ${signal}`)
  return async () => {
    await recover(at)
    const rows = await place.sql`select state::text from videos where session_id = ${session}`
    const states = rows.map((row) => row.state)
    t.strictSame(states, [status === 201 ? 'encoded' : 'failed'], signal)
  }
}

async function betweenCommitAndPublication(t: Test, signal: Signal, queue: QueueBackend) {
  const { place, media, session, clip } = await begin(t, queue)
  t.equal(await place.upload(media, session, clip), 201)
  await media.kill(signal)
  return async () => {
    const worker = await place.worker()
    await worker.restart()
    const what = `between commit and publication, ${signal}, queue on ${queue}`
    await t.resolves(place.encoded(session), what)
    await place.works(await place.host())
  }
}

t.test('the media process ends', { skip }, async (t) => {
  const signals = ['SIGKILL', 'SIGTERM'] as const
  const recoveries: Promise<void>[] = []
  for (const moment of [midUpload, betweenObjectAndCommit]) {
    const struck = await Promise.all(signals.map((signal) => moment(t, signal)))
    recoveries.push(...struck.map((recover) => recover()))
  }
  // Only this one leaves anything to the queue.
  for (const queue of queueBackends) {
    const struck = await Promise.all(signals.map((signal) => betweenCommitAndPublication(t, signal, queue)))
    recoveries.push(...struck.map((recover) => recover()))
  }
  await Promise.all(recoveries)
})

t.test('a closing process lets an upload end that is nearly there', { skip }, async (t) => {
  const { place, media, session, clip } = await begin(t)
  let ended: Promise<unknown> | undefined
  const status = await place.upload(media, session, clip, async () => {
    ended = media.kill('SIGTERM')
    await sleep(500)
  })
  t.equal(status, 201)
  t.equal(await ended, 0, 'and closes well')
})

t.test('clients that leave or come twice', { skip }, async (t) => {
  const at = await begin(t)
  const { place, media, session, clip } = at
  const leave = () => Promise.reject(new Error('gone'))
  t.equal(await place.upload(media, session, clip, leave), 0)
  await until('a failure', async () => (await place.sql`select 1 from videos where state = 'failed'`).length === 1)
  const twice = await Promise.all([1, 2].map(() => place.upload(media, session, clip)))
  t.strictSame(twice, [201, 201])
  await recover(at)
  const states = await place.sql`select state::text from videos where session_id = ${session}`
  t.strictSame([...states], [{ state: 'encoded' }], 'the newer counts, the other is removed')
})
