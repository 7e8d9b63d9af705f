import { type QueueBackend, queueBackends, type Signal, storeBackends } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import type { Passing } from './gate.ts'
import { faultPlace, makeClip } from './place.ts'

/** Kills in mid-encode are in ../crash.test.ts. */
const moments: { name: string; is: (request: Passing) => boolean; when: 'before' | 'after' }[] = [
  { name: 'at the probe', when: 'before', is: ({ method, path }) => method === 'GET' && path.endsWith('.mp4') },
  { name: 'after a chunk', when: 'after', is: ({ method, path }) => method === 'PUT' && path.includes('chunk_') },
  {
    name: 'after the rendition',
    when: 'after',
    is: ({ method, path }) => method === 'PUT' && path.includes('encoded_'),
  },
]

/** Strikes; answers with what is to be seen afterwards, most of which is waiting. */
async function strikeAt(t: Test, moment: (typeof moments)[number], backend: QueueBackend, signal: Signal) {
  const label = `${moment.name}, ${signal}, queue on ${backend}`
  const place = await faultPlace(t, { queue: backend })
  const [media, first, second] = [await place.host(), await place.worker(), await place.worker()]
  await first.restart()
  let killed: Promise<unknown> | undefined
  const strike = async (request: Passing) => {
    if (killed || !moment.is(request)) return
    killed = first.kill(signal)
    if (signal === 'SIGKILL') await killed
  }
  if (moment.when === 'after') place.gate.after = strike
  else
    place.gate.before = async (request) => {
      await strike(request)
    }
  const session = await place.addSession()
  t.equal(await place.upload(media, session, await makeClip()), 201, label)
  while (!killed) await new Promise((resolve) => setTimeout(resolve, 20))
  await killed
  return async () => {
    await second.restart()
    await place.encoded(session)
    await place.works(media)
    const renditions = await place.sql`select 1 from renditions where session_id = ${session}`
    t.equal(renditions.length, 1, `${label}: one rendition`)
  }
}

t.test('the worker ends', { skip: !storeBackends.includes('s3') }, async (t) => {
  const signals = ['SIGKILL', 'SIGTERM'] as const
  const all = queueBackends.flatMap((backend) => signals.map((signal) => ({ backend, signal })))
  const recoveries: Promise<void>[] = []
  for (const moment of moments) {
    const struck = await Promise.all(all.map(({ backend, signal }) => strikeAt(t, moment, backend, signal)))
    recoveries.push(...struck.map((recover) => recover()))
  }
  await Promise.all(recoveries)
})
